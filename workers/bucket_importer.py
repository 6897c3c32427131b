"""Commits what is new in a bucket: each object becomes an annexed file, whose content stays in the bucket.

What counts is the bucket as it is, compared with how it was at the last commit.  A notice only says that it
is time to look; a lost one is caught up by the next look.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tea_runner.core.datums.content_identity import pointer_key
from tea_runner.core.errors import OutsideError
from tea_runner.core.events.event import Event, EventFile
from tea_runner.core.events.trigger import Trigger
from tea_runner.core.events.trigger_position import (
    NAME,
    REFS,
    TriggerPosition,
    format_message,
    format_position,
)
from tea_runner.core.git import annex_paths
from tea_runner.core.git.tree import LINK, PLAIN, TREE, TreeEntry, differences, edit_tree, lookup
from tea_runner.dataset.forge_dataset import ForgeDataset
from tea_runner.dataset.import_bucket import ObjectImport
from tea_runner.dataset.object_writer import ObjectWriter
from tea_runner.flow.commit_events import CommittedEvent, refusal
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.host.fault_point import reached, step
from tea_runner.ports import RefUpdate
from workers.event_committer import CommittedBatch, EventCommitter

_TRIES = 5
#: Entry of the position's commit with the bucket as it was at the last commit.
_OBJECTS = "objects"
#: Objects that a message names.
_MOST_NAMED = 500


@dataclass(frozen=True, kw_only=True)
class _NewObject:
    """An object that is new in the bucket, and the file that it becomes."""

    name: str
    path: str
    key: str


class ObjectImporter:
    """Imports the objects of one trigger.

    :param dataset: with a mirror that nothing else uses.
    :param who: author and committer, ``Name <address>``.
    """

    def __init__(
        self, dataset: ForgeDataset, trigger: Trigger, *, who: str, scratch: Path, most: int
    ) -> None:
        self._dataset = dataset
        self._trigger = trigger
        self._who = who
        self._import = ObjectImport(dataset, trigger.storage, scratch / "worktree")
        self._committer = EventCommitter(dataset, who=who, scratch=scratch, most=most)

    def look(self) -> CommittedBatch | None:
        """Commit what is new; None when nothing is.

        :raises Refused: when the dataset has no such storage.
        :raises OutsideError: when forge or storage failed.
        """
        trigger = self._trigger
        for _ in range(_TRIES):
            with step("object-refresh"):
                self._dataset.refresh()
            tip = self._committer.tip(trigger)
            position, ref = self._committer.read_position(trigger, tip)
            uuid = self._import.uuid
            assert uuid
            with step("object-import"):
                tree = self._import.tree()
            if tree == position.offset:
                return None
            store = self._dataset.writer()
            batch, keys, updates = self._draft(store, tip, position, ref, tree)
            store.flush()
            reached("object-publish")
            if self._dataset.publish(updates):
                reached("object-published")
                self._import.drop(keys)
                return batch if batch.outcomes else None
        raise OutsideError(
            f"branch {trigger.branch} of {trigger.repository} moves all the time; the objects of trigger "
            f"{trigger.name} wait"
        )

    def _draft(
        self,
        store: ObjectWriter,
        tip: CommitReader,
        position: TriggerPosition,
        ref: str | None,
        tree: str,
    ) -> tuple[CommittedBatch, list[str], list[RefUpdate]]:
        trigger, objects = self._trigger, self._dataset.objects
        now = int(time.time())
        outcomes: list[CommittedEvent] = []
        changes: dict[str, TreeEntry | None] = {}
        keys = []
        for new in self._new_objects(ref, tree):
            event = Event(
                id=new.name, received=now, files=(EventFile(path=new.path, data=b""),), offset=tree
            )
            if why := refusal(tip, trigger, new.path):
                outcomes.append(CommittedEvent(event=event, outcome="refused", why=why))
                continue
            target = annex_paths.link_target(new.key, new.path).encode("utf-8", "surrogateescape")
            entry = TreeEntry(LINK, store.add("blob", target))
            keys.append(new.key)
            if tip.tree.entry(new.path) == entry:
                outcomes.append(CommittedEvent(event=event, outcome="unchanged"))
            else:
                changes[new.path] = entry
                outcomes.append(CommittedEvent(event=event, outcome="committed"))

        def read(oid: str) -> Mapping[str, TreeEntry]:
            return store.trees.get(oid) or objects.tree(oid)

        seconds = max(objects.commit(tip.tree.commit).committed, now)
        updates: list[RefUpdate] = []
        commit = ""
        if changes:
            root = edit_tree(read, store.tree, tip.tree.root, changes)
            assert root is not None
            named = [each.event for each in outcomes if each.outcome == "committed"][-_MOST_NAMED:]
            message = format_message(trigger.name, named, len(changes))
            parents = [tip.tree.commit]
            commit = store.commit(
                root, parents, message, who=self._who, seconds=seconds, signed=True
            )
            updates.append((trigger.ref, commit, tip.tree.commit))
        logged = self._import.log(store, keys, tree, who=self._who, seconds=seconds)
        updates.append(("refs/heads/git-annex", logged, self._dataset.annex_tip()))
        after = TriggerPosition(offset=tree, recent=position.recent)
        entries = {NAME: TreeEntry(PLAIN, store.add("blob", format_position(after)))}
        entries[_OBJECTS] = TreeEntry(TREE, tree)
        title = f"Position of trigger {trigger.name}\n"
        kept = store.commit(store.tree(entries), [], title, who=self._who, seconds=seconds)
        updates.append((REFS + trigger.name, kept, ref))
        return CommittedBatch(commit=commit, outcomes=tuple(outcomes)), keys, updates

    def _new_objects(self, ref: str | None, tree: str) -> list[_NewObject]:
        """Objects that were put or replaced since the last commit; deleted ones keep their files."""
        objects = self._dataset.objects
        before = ""
        if ref is not None:
            entry = lookup(objects.tree, objects.commit(ref).tree, _OBJECTS)
            before = entry.oid if entry is not None else ""
        found = []
        for name, _, entry in differences(objects.tree, before, tree):
            blob = objects.blob(entry.oid) if entry is not None else None
            key = pointer_key(entry.mode, blob) if entry is not None and blob is not None else None
            if key is not None:
                found.append(_NewObject(name=name, path=f"{self._trigger.folder}/{name}", key=key))
        return found

    def close(self) -> None:
        """End the processes behind it."""
        self._import.close()
        self._committer.close()
