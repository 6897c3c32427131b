"""One event: what tells it from others, when it came, and the files that it becomes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

#: Characters of an event's id.
MOST_ID = 500
_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class EventFile:
    """A file that an event becomes; its path is from the top of the dataset."""

    path: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Event:
    """One event of a trigger.

    :param id: the sender's, or the digest of the body: a repeated event has the same one.
    :param received: seconds since 1970.
    :param files: none where it asks for a plan only.
    :param offset: position of the source after it; empty for a source without positions.
    :param refusal: why it becomes nothing; empty when it does.
    """

    id: str
    received: int
    files: tuple[EventFile, ...] = ()
    offset: str = ""
    refusal: str = ""

    @property
    def digest(self) -> str:
        """16 hex digits that stand for the id."""
        return sha256(self.id.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def format_event(event: Event) -> bytes:
    """An event as the content of one file: a line of JSON, then the bytes of its files."""
    head = {
        "version": _VERSION,
        "id": event.id,
        "received": event.received,
        "offset": event.offset,
        "refusal": event.refusal,
        "files": [[file.path, len(file.data)] for file in event.files],
    }
    return json.dumps(head).encode() + b"\n" + b"".join(file.data for file in event.files)


def parse_event(data: bytes) -> Event:
    """Read what :func:`format_event` wrote.

    :raises ValueError: when it is something else, or cut off.
    """
    line, _, rest = data.partition(b"\n")
    head: Mapping[str, Any] = json.loads(line)
    if not isinstance(head, dict) or head.get("version") != _VERSION:
        raise ValueError("not an event")
    files, start = [], 0
    rows: Sequence[tuple[str, int]] = head["files"]
    for path, size in rows:
        files.append(EventFile(path=path, data=rest[start : start + size]))
        start += size
    if start != len(rest):
        raise ValueError("the event is cut off")
    return Event(
        id=head["id"],
        received=head["received"],
        files=tuple(files),
        offset=head["offset"],
        refusal=head["refusal"],
    )
