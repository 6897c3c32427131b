"""Commits the events of a trigger: to the branch, the position and the location logs in one push.

All refs move together or not at all, each only from where it was read.  So a process that is killed at any
moment leaves either all of a batch or nothing of it, and what is still in the spool is known by its id.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tea_runner.core.errors import NotFound, OutsideError
from tea_runner.core.events.event import Event
from tea_runner.core.events.trigger import Trigger
from tea_runner.core.events.trigger_position import NAME, REFS, TriggerPosition, parse_position
from tea_runner.core.git.configured_backend import annex_backend
from tea_runner.core.git.tree import TreeEntry, lookup
from tea_runner.core.results.compose_commit import new_entry
from tea_runner.dataset.annex_content import Annex
from tea_runner.dataset.attributes import Attributes
from tea_runner.dataset.forge_dataset import ForgeDataset
from tea_runner.dataset.object_writer import ObjectWriter
from tea_runner.dataset.save_outputs import FileToSave, OutputSaver
from tea_runner.flow.commit_events import (
    CommittedEvent,
    EventsDraft,
    batches,
    draft_events,
    lost_position,
)
from tea_runner.flow.commit_reader import CommitReader, open_commit
from tea_runner.flow.planning_cache import PlanningCache
from tea_runner.flow.record_location_logs import log_presence
from tea_runner.host.fault_point import reached, step
from tea_runner.ports import RefUpdate

log = logging.getLogger(__name__)

#: Tries at a branch that others push to meanwhile.
_TRIES = 5


@dataclass(frozen=True, kw_only=True)
class CommittedBatch:
    """What became of some events that were dealt with together."""

    #: The commit with their files; empty where none was made.
    commit: str
    outcomes: tuple[CommittedEvent, ...]


class EventCommitter:
    """Commits events to one repository, whose mirror stays open.

    :param who: author and committer, ``Name <address>``.
    :param scratch: folder for temporary files.
    """

    def __init__(self, dataset: ForgeDataset, *, who: str, scratch: Path, most: int) -> None:
        self._dataset = dataset
        self._who = who
        self._scratch = scratch
        self._most = most
        self._cache = PlanningCache()
        self._attributes = Attributes(dataset.repository, scratch, dataset.default_largefiles)

    def position(self, trigger: Trigger) -> TriggerPosition:
        """How far a trigger has come, as the forge has it now.

        :raises OutsideError: when the forge does not answer.
        """
        self._dataset.refresh()
        return self.read_position(trigger, self.tip(trigger))[0]

    def commit(self, trigger: Trigger, events: Sequence[Event]) -> list[CommittedBatch]:
        """Commit events in their order, in as few commits as possible.

        :raises NotFound: when there is no such branch.
        :raises OutsideError: when forge or storage failed; what was not committed may be tried again.
        """
        return [self._commit(trigger, batch) for batch in batches(events)]

    def _commit(self, trigger: Trigger, events: Sequence[Event]) -> CommittedBatch:
        for _ in range(_TRIES):
            with step("event-refresh"):
                self._dataset.refresh()
            tip = self.tip(trigger)
            position, ref = self.read_position(trigger, tip)
            store = self._dataset.writer()
            saving = _Saving(self._dataset, self._attributes, store, self._scratch, self._most)
            draft = draft_events(
                self._dataset.objects,
                store,
                tip,
                trigger,
                events,
                position,
                who=self._who,
                save=saving.save,
            )
            updates = self._updates(trigger, tip, draft, ref)
            if updates and saving.keys:
                with step("event-store"):
                    updates += self._store(saving.keys, store, events)
            store.flush()
            reached("event-publish")
            if not updates or self._dataset.publish(updates):
                reached("event-published")
                return CommittedBatch(commit=draft.commit, outcomes=draft.outcomes)
        raise OutsideError(
            f"branch {trigger.branch} of {trigger.repository} moves all the time; the events of trigger "
            f"{trigger.name} wait"
        )

    def tip(self, trigger: Trigger) -> CommitReader:
        """The tip of a trigger's branch, as of the last refresh.

        :raises NotFound: when there is no such branch.
        """
        commit = self._dataset.tip(trigger.branch)
        if commit is None:
            raise NotFound(
                f"{trigger.repository} has no branch {trigger.branch}, to which trigger {trigger.name} "
                f"commits",
                hint="push that branch, or name another one in branch of this [[triggers]]",
            )
        return open_commit(self._dataset.objects, commit, self._cache)

    def read_position(
        self, trigger: Trigger, tip: CommitReader
    ) -> tuple[TriggerPosition, str | None]:
        """The position, and the id of the ref that keeps it."""
        name = REFS + trigger.name
        ref = self._dataset.repository.refs(name).get(name)
        found = self._read_position(ref) if ref is not None else None
        if found is None:
            found = lost_position(self._dataset.objects, tip.tree.commit, trigger.name)
        return found, ref

    def _read_position(self, commit: str) -> TriggerPosition | None:
        objects = self._dataset.objects
        try:
            entry = lookup(objects.tree, objects.commit(commit).tree, NAME)
            data = objects.blob(entry.oid) if entry is not None else None
        except OutsideError:
            return None
        return parse_position(data) if data is not None else None

    def _updates(
        self, trigger: Trigger, tip: CommitReader, draft: EventsDraft, ref: str | None
    ) -> list[RefUpdate]:
        updates: list[RefUpdate] = []
        if draft.commit:
            updates.append((trigger.ref, draft.commit, tip.tree.commit))
        if draft.position and draft.position != ref:
            updates.append((REFS + trigger.name, draft.position, ref))
        return updates

    def _store(
        self, keys: Sequence[str], store: ObjectWriter, events: Sequence[Event]
    ) -> list[RefUpdate]:
        """Send annexed content to the storage, and log that it is there."""
        self._dataset.prepared_annex().send(keys)
        annex_tip = self._dataset.annex_tip()
        uuid = self._dataset.storage_uuid()
        logged = log_presence(
            self._dataset,
            store,
            annex_tip,
            dict.fromkeys(keys, uuid),
            self._who,
            max(event.received for event in events),
            "tea-runner: content of events is in storage\n",
        )
        return [("refs/heads/git-annex", logged, annex_tip)] if logged is not None else []

    def close(self) -> None:
        """End the processes behind it."""
        self._attributes.close()
        self._dataset.close()


class _Saving:
    """Saves files in git or the annex, as the dataset's attributes say."""

    def __init__(
        self,
        dataset: ForgeDataset,
        attributes: Attributes,
        store: ObjectWriter,
        scratch: Path,
        most: int,
    ) -> None:
        self._dataset = dataset
        self._attributes = attributes
        self._store = store
        self._scratch = scratch
        self._most = most
        #: Annex keys of what was saved.
        self.keys: list[str] = []

    def save(self, root: str, files: Mapping[str, bytes]) -> dict[str, TreeEntry]:
        """See :data:`tea_runner.flow.commit_events.SaveFiles`."""
        rules = lookup(self._dataset.objects.tree, root, ".gitattributes")
        text = (self._dataset.objects.blob(rules.oid) or b"") if rules is not None else b""
        saver = OutputSaver(
            self._annex(),
            self._attributes,
            self._dataset.repository,
            self._store,
            annex_backend(text),
            self._most,
        )
        with tempfile.TemporaryDirectory(dir=self._scratch, prefix="events.") as folder:
            written = []
            for number, (path, data) in enumerate(files.items()):
                file = Path(folder) / str(number)
                file.write_bytes(data)
                written.append(FileToSave(path, file, len(data), executable=False))
            outputs = saver.save(written, root, "")
        found = {}
        for output in outputs:
            entry = new_entry(output, output.path)
            oid = entry.oid or self._store.add("blob", entry.data)
            found[output.path] = TreeEntry(entry.mode, oid)
            self.keys += [output.name] if output.kind == "annex" else []
        return found

    def _annex(self) -> Annex:
        """The annex; its storages are enabled where the dataset describes some."""
        described = self._dataset.remote_log()
        return self._dataset.prepared_annex() if described else self._dataset.annex
