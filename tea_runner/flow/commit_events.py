"""The commit with the files of some events: composed from the tip of a branch, in no working tree.

What an event brings is data.  It becomes a file of data and nothing else: no pipeline, no code, no result.
The commit names its trigger and its events, and has none of the trailers of a results commit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tea_runner.core.datums.content_identity import pointer_key
from tea_runner.core.events.event import Event
from tea_runner.core.events.trigger import Trigger, folder_problem
from tea_runner.core.events.trigger_position import (
    NAME,
    TriggerPosition,
    format_message,
    format_position,
    position_of_messages,
)
from tea_runner.core.git.tree import FILES, LINK, PLAIN, TREE, TreeEntry, edit_tree
from tea_runner.core.results import manifest_text
from tea_runner.core.results.reserved_names import is_code, reserved_part
from tea_runner.core.spec.code_patterns import CodePatterns
from tea_runner.core.spec.pipeline_file_names import SPEC_NAMES
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.ports import Objects, TreeStore

#: Commits of a branch that are read for a position whose ref is lost.
_MOST_COMMITS = 1000
#: Events, and bytes of them, of one commit.
MOST_EVENTS, MOST_BYTES = 500, 32 << 20

EventOutcome = Literal["committed", "repeated", "unchanged", "refused", "planned"]
#: Saves files in git or the annex as the attributes of a tree say; returns their entries.
SaveFiles = Callable[[str, Mapping[str, bytes]], Mapping[str, TreeEntry]]


@dataclass(frozen=True, kw_only=True)
class CommittedEvent:
    """What became of an event."""

    event: Event
    outcome: EventOutcome
    #: Of a refused event.
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class EventsDraft:
    """A commit with the files of events, in the repository and on no branch yet."""

    #: The commit; empty where no file changes.
    commit: str
    #: The commit that keeps the trigger's position; empty where that stays.
    position: str
    outcomes: tuple[CommittedEvent, ...]


def batches(events: Sequence[Event]) -> Iterator[list[Event]]:
    """Events that go into one commit together, in their order: no path is written twice in one."""
    batch: list[Event] = []
    paths: set[str] = set()
    size = 0
    for event in events:
        own = {file.path for file in event.files}
        size += sum(len(file.data) for file in event.files)
        if batch and (len(batch) >= MOST_EVENTS or size > MOST_BYTES or paths & own):
            yield batch
            batch, paths, size = [], set(), sum(len(file.data) for file in event.files)
        batch.append(event)
        paths |= own
    if batch:
        yield batch


def lost_position(objects: Objects, tip: str, trigger: str) -> TriggerPosition:
    """The position of a trigger whose ref is gone, or was never there; reads up to 1,000 commits."""

    def messages() -> Iterator[str]:
        commit = tip
        for _ in range(_MOST_COMMITS):
            facts = objects.commit(commit)
            yield facts.message
            if not facts.parents:
                return
            commit = facts.parents[0]

    return position_of_messages(trigger, messages())


def draft_events(
    objects: Objects,
    store: TreeStore,
    tip: CommitReader,
    trigger: Trigger,
    events: Sequence[Event],
    position: TriggerPosition,
    *,
    who: str,
    save: SaveFiles,
) -> EventsDraft:
    """Make the commit with the files of some events; nothing is published.

    A function of its arguments: the same events on the same tip make the same commit.

    :param who: author and committer, ``Name <address>``.
    """
    known = set(position.recent)
    files: dict[str, bytes] = {}
    new: list[Event] = []
    rows = []
    for event in events:
        outcome = _outcome(tip, trigger, event, known)
        rows.append(outcome)
        if outcome.outcome != "refused":
            known.add(event.digest)
        if outcome.outcome == "committed":
            files.update((file.path, file.data) for file in event.files)
            new.append(event)
    entries = save(tip.tree.root, files) if files else {}
    changes = {path: entry for path, entry in entries.items() if tip.tree.entry(path) != entry}
    rows = [
        replace(row, outcome="unchanged")
        if row.outcome == "committed" and not any(f.path in changes for f in row.event.files)
        else row
        for row in rows
    ]
    seconds = max(
        [objects.commit(tip.tree.commit).committed, *(event.received for event in events)]
    )
    commit = ""
    if changes:

        def read(oid: str) -> Mapping[str, TreeEntry]:
            return store.trees.get(oid) or objects.tree(oid)

        root = edit_tree(read, store.tree, tip.tree.root, changes)
        assert root is not None
        message = format_message(trigger.name, new, len(changes))
        parents = [tip.tree.commit]
        commit = store.commit(root, parents, message, who=who, seconds=seconds, signed=True)
    after = position.after(
        [replace(row.event, refusal=row.why) for row in rows if row.outcome != "repeated"]
    )
    kept = ""
    if after != position:
        blob = store.add("blob", format_position(after))
        root = store.tree({NAME: TreeEntry(PLAIN, blob)})
        title = f"Position of trigger {trigger.name}\n"
        kept = store.commit(root, [], title, who=who, seconds=seconds)
    return EventsDraft(commit=commit, position=kept, outcomes=tuple(rows))


def _outcome(tip: CommitReader, trigger: Trigger, event: Event, known: set[str]) -> CommittedEvent:
    if event.refusal:
        return CommittedEvent(event=event, outcome="refused", why=event.refusal)
    if event.digest in known:
        return CommittedEvent(event=event, outcome="repeated")
    for file in event.files:
        if pointer_key(PLAIN, file.data):
            why = "the content is a pointer of git-annex"
            return CommittedEvent(event=event, outcome="refused", why=why)
        if why := refusal(tip, trigger, file.path):
            return CommittedEvent(event=event, outcome="refused", why=why)
    return CommittedEvent(event=event, outcome="committed" if event.files else "planned")


def refusal(tip: CommitReader, trigger: Trigger, path: str) -> str:
    """Why a file of data cannot be at a path of the dataset; empty when it can."""
    below = path.startswith(f"{trigger.folder}/")
    if not below or folder_problem(path) or is_code(path) or reserved_part(path):
        return f"{path} cannot be a file of data"
    parts = path.split("/")
    for count in range(1, len(parts)):
        folder = "/".join(parts[:count])
        entry = tip.tree.entry(folder)
        if entry is None:
            break
        if entry.mode != TREE:
            return f"{folder} is no folder of the dataset"
        names = tip.tree.objects.tree(entry.oid)
        if any(name in names for name in (*SPEC_NAMES, manifest_text.NAME)):
            return f"{folder} is the folder of a pipeline"
    entry = tip.tree.entry(path)
    if entry is not None and entry.mode not in FILES and entry.mode != LINK:
        return f"{path} is a folder"
    return _code_of(tip, path)


def _code_of(tip: CommitReader, path: str) -> str:
    """The pipeline that executes a file, as a sentence; empty when none does."""
    for pipeline in tip.pipelines.written:
        patterns = CodePatterns(pipeline.transform)
        if patterns.leaves_out(path) or patterns.uses_default:
            continue
        if any(glob.match("/" + path) for glob in patterns.named):
            return f"{path} would be code of pipeline {pipeline.name}"
    return ""
