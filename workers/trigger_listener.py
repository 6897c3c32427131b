"""Commits what the triggers of the settings bring, lists it, and asks for plans."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable

from tea_runner.broker.recent_trigger_events import ListedEvent
from tea_runner.core.errors import OutsideError, QueueError, TeaError
from tea_runner.core.events.event import Event
from tea_runner.core.events.trigger import STREAMS, Trigger
from tea_runner.host.fault_point import reached
from tea_runner.host.log_redaction import redact_logs
from tea_runner.host.private_folder import make_private_folder
from tea_runner.wiring import Site
from workers.bucket_importer import ObjectImporter
from workers.event_committer import CommittedBatch, EventCommitter
from workers.trigger_source_reader import StreamReader

log = logging.getLogger(__name__)

#: Seconds between two looks at the spool.
LOOK_EVERY = 0.5
#: Seconds before a trigger that failed is tried again; doubled each time, up to the second number.
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 60.0
#: Events that are read at once.
_AT_ONCE = 500


class TriggerListener:
    """Deals with the events of all triggers, one trigger after the other."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._committers: dict[str, EventCommitter] = {}
        self._importers: dict[str, ObjectImporter] = {}
        self._readers: dict[str, StreamReader] = {}
        #: Triggers to when their sources are looked at again, in monotonic seconds.
        self._due: dict[str, float] = {}
        #: Triggers that failed: when they are tried again (monotonic seconds), the wait, and why.
        self._failed: dict[str, tuple[float, float, str]] = {}
        redact_logs(site.redactor.redact_text)
        for name in site.triggers:
            site.event_spool.sweep(name)

    @property
    def problem(self) -> str:
        """What keeps events from being committed now; empty for nothing."""
        reading = (each.problem for each in self._readers.values() if each.problem)
        return next((why for _, _, why in self._failed.values()), next(reading, ""))

    def look(self) -> int:
        """Deal with the events that wait; returns their number."""
        return sum(self._guarded(trigger) for trigger in self._site.triggers.values())

    def forever(self, stopped: Callable[[float], bool]) -> None:
        """Look again and again.

        :param stopped: waits for so many seconds; True when the loop is to end.
        """
        while not stopped(0.0 if self.look() else LOOK_EVERY):
            pass

    def _guarded(self, trigger: Trigger) -> int:
        due, wait, _ = self._failed.get(trigger.name, (0.0, 0.0, ""))
        if time.monotonic() < due:
            return 0
        try:
            done = self._look_at(trigger)
        except (TeaError, OSError) as error:
            wait = min(max(wait * 2, _FIRST_WAIT), _LONGEST_WAIT)
            why = f"events of trigger {trigger.name} wait: {error}"
            self._failed[trigger.name] = (time.monotonic() + wait, wait, why)
            log.warning("%s; next try in %g s", why, wait)
            return 0
        self._failed.pop(trigger.name, None)
        return done

    def _look_at(self, trigger: Trigger) -> int:
        if trigger.kind == "objects":
            return self._look_at_objects(trigger)
        spool = self._site.event_spool
        names = spool.waiting(trigger.name)[:_AT_ONCE]
        read = {name: spool.read(trigger.name, name) for name in names}
        for name in (name for name, event in read.items() if event is None):
            log.warning("a damaged event of trigger %s was removed: %s", trigger.name, name)
            spool.remove(trigger.name, name)
        events = [event for event in read.values() if event is not None]
        if not events:
            if trigger.kind in STREAMS:
                self._read_stream(trigger)
            return 0
        if trigger.folder:
            batches = self._committer(trigger.repository).commit(trigger, events)
        else:
            batches = [planned_batch(events)]
        if any(_asks_for_plan(batch) for batch in batches):
            self._site.plan_requests.request_plan(
                trigger.repository, trigger.ref, why=f"event of trigger {trigger.name}"
            )
        reached("event-remove")
        for name in names:
            spool.remove(trigger.name, name)
        self._list(trigger, batches)
        return len(events)

    def _read_stream(self, trigger: Trigger) -> None:
        """Have a source read from where git says that it was read to; nothing of it waits now."""
        if trigger.name not in self._readers:
            position = self._committer(trigger.repository).position(trigger)
            source = self._site.message_source(trigger.name)
            spool = self._site.event_spool
            self._readers[trigger.name] = StreamReader(trigger, source, position.offset, spool)

    def _look_at_objects(self, trigger: Trigger) -> int:
        """Look at a bucket when it is time, or when a notice came."""
        spool = self._site.event_spool
        notices = spool.waiting(trigger.name)
        due = self._due.get(trigger.name, 0.0)
        if not notices and time.monotonic() < due:
            return 0
        batch = self._importer(trigger).look()
        self._due[trigger.name] = time.monotonic() + trigger.every
        if batch is not None and batch.commit:
            self._site.plan_requests.request_plan(
                trigger.repository, trigger.ref, why=f"objects of trigger {trigger.name}"
            )
        # Notices that came meanwhile ask for another look.
        for name in notices:
            spool.remove(trigger.name, name)
        if batch is not None:
            self._list(trigger, [batch])
        return len(batch.outcomes) if batch is not None else 0

    def _importer(self, trigger: Trigger) -> ObjectImporter:
        if trigger.name not in self._importers:
            site = self._site
            self._require_watched(trigger.repository)
            mirrors = f"imports/{trigger.name}"
            dataset = site.repository(trigger.repository, mirrors=mirrors)
            scratch = make_private_folder(site.state_folder / mirrors, "state")
            self._importers[trigger.name] = ObjectImporter(
                dataset,
                trigger,
                who=site.author,
                scratch=scratch,
                most=site.settings.sandbox.git_file_size,
            )
        return self._importers[trigger.name]

    def _require_watched(self, repository: str) -> None:
        if not self._site.is_watched(repository):
            raise OutsideError(
                f"{repository} is not processed here",
                hint="list it in repositories, or add its webhook",
            )

    def _list(self, trigger: Trigger, batches: Iterable[CommittedBatch]) -> None:
        rows = []
        for batch in batches:
            for each in batch.outcomes:
                row = ListedEvent(
                    trigger=trigger.name,
                    kind=trigger.kind,
                    repository=trigger.repository,
                    branch=trigger.branch,
                    event=self._site.redactor.redact_text(each.event.id[:100]),
                    received=each.event.received,
                    outcome=each.outcome,
                    why=each.why,
                    commit=batch.commit if each.outcome == "committed" else "",
                    files=tuple(file.path for file in each.event.files[:10]),
                )
                rows.append(row)
                log.info("event %s of trigger %s: %s", each.event.digest, row.trigger, row.outcome)
        try:
            self._site.events.add(rows)
        except QueueError as error:
            log.warning("%d events are not listed: %s", len(rows), error.message)

    def _committer(self, repository: str) -> EventCommitter:
        self._require_watched(repository)
        if repository not in self._committers:
            site = self._site
            scratch = make_private_folder(site.state_folder / "events" / ".scratch", "state")
            self._committers[repository] = EventCommitter(
                site.repository(repository),
                who=site.author,
                scratch=scratch,
                most=site.settings.sandbox.git_file_size,
            )
        return self._committers[repository]

    def close(self) -> None:
        """End the threads, and the processes of the repositories."""
        for reader in self._readers.values():
            reader.close()
        self._readers.clear()
        for committer in self._committers.values():
            committer.close()
        for importer in self._importers.values():
            importer.close()
        self._committers.clear()
        self._importers.clear()


def planned_batch(events: Iterable[Event]) -> CommittedBatch:
    """What becomes of events that ask for a plan only."""
    from tea_runner.flow.commit_events import CommittedEvent

    return CommittedBatch(
        commit="",
        outcomes=tuple(
            CommittedEvent(
                event=event, outcome="refused" if event.refusal else "planned", why=event.refusal
            )
            for event in events
        ),
    )


def _asks_for_plan(batch: CommittedBatch) -> bool:
    return bool(batch.commit) or any(each.outcome == "planned" for each in batch.outcomes)
