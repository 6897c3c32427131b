"""How far a trigger has come, as git keeps it: the source's offset, and the ids of the last events.

It is moved in the same push as the branch, so that no event is committed twice or passed over.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tea_runner.core.events.event import Event

#: Below these the position of each trigger lies, by its name.
REFS = "refs/tea/triggers/"
#: File of the commit at that ref.
NAME = "position.json"
#: Events that are remembered; older ones are known by their files only.
MOST_RECENT = 1500

_TRAILER = re.compile(r"^Tea-(Trigger|Event|Offset): (.*)$", re.MULTILINE)
_DIGEST = re.compile(r"[0-9a-f]{16}")
_UNSEEN = re.compile(r"[^\x21-\x7e]")


@dataclass(frozen=True, kw_only=True)
class TriggerPosition:
    """How far a trigger has come.

    :param recent: digests of the ids of the last events, the oldest first.
    """

    offset: str = ""
    recent: tuple[str, ...] = ()

    def after(self, events: Sequence[Event]) -> TriggerPosition:
        """The position after these events, in their order; a refused one may come again."""
        new = (event.digest for event in events if not event.refusal)
        recent = dict.fromkeys((*self.recent, *new))
        offsets = [event.offset for event in events if event.offset]
        return TriggerPosition(
            offset=offsets[-1] if offsets else self.offset, recent=tuple(recent)[-MOST_RECENT:]
        )


def format_position(position: TriggerPosition) -> bytes:
    """The file that git keeps."""
    document = {"version": 1, "offset": position.offset, "recent": list(position.recent)}
    return json.dumps(document, ensure_ascii=True).encode() + b"\n"


def parse_position(data: bytes) -> TriggerPosition | None:
    """Read that file; None for anything else, which others may have pushed."""
    try:
        match json.loads(data):
            case {"version": 1, "offset": str(offset), "recent": [*recent]} if all(
                isinstance(each, str) and _DIGEST.fullmatch(each) for each in recent
            ):
                return TriggerPosition(offset=offset, recent=tuple(recent)[-MOST_RECENT:])
    except (ValueError, RecursionError):
        pass
    return None


def format_message(trigger: str, events: Sequence[Event], count: int) -> str:
    """The message of the commit with the files of some events.

    :param count: of files.
    """
    files = f"{count} file{'s' if count != 1 else ''}"
    lines = [f"Add {files} from trigger {trigger}", "", f"Tea-Trigger: {trigger}"]
    lines += [f"Tea-Event: {event.digest} {_UNSEEN.sub('?', event.id)[:80]}" for event in events]
    offsets = [event.offset for event in events if event.offset]
    lines += [f"Tea-Offset: {json.dumps(offsets[-1])}"] if offsets else []
    return "\n".join(lines) + "\n"


def position_of_messages(trigger: str, messages: Iterable[str]) -> TriggerPosition:
    """The position that the messages of a branch tell of, where the ref is lost.

    :param messages: of the branch's commits, the newest first.
    """
    offset, recent = "", list[str]()
    for message in messages:
        found = _TRAILER.findall(message)
        if ("Trigger", trigger) not in found:
            continue
        digests = [value[:16] for name, value in found if name == "Event"]
        recent = [*filter(_DIGEST.fullmatch, digests), *recent]
        offset = offset or next((_text(value) for name, value in found if name == "Offset"), "")
        if len(recent) >= MOST_RECENT:
            break
    return TriggerPosition(offset=offset, recent=tuple(recent[-MOST_RECENT:]))


def _text(value: str) -> str:
    try:
        found = json.loads(value)
    except ValueError:
        return ""
    return found if isinstance(found, str) else ""
