"""Jobs, plan requests and recompute requests in memory."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from tea_runner.core.errors import QueueError
from tea_runner.core.planning.job import Job
from tea_runner.core.planning.recompute_verdict import RecomputeVerdict
from tea_runner.ports import Failure, MissingContent

_Branch = tuple[str, str]


@dataclass
class MemoryBroker:
    """What a Redis would hold; *reachable* says whether it answers."""

    reachable: bool = True
    #: Branches that were announced for planning, in order.
    plan_queue: list[_Branch] = field(default_factory=list)

    def ask(self) -> None:
        """:raises QueueError: when the broker does not answer."""
        if not self.reachable:
            raise QueueError("Redis does not answer as it should")


@dataclass
class _Entry:
    job: Job
    state: str = "waiting"
    pushed: str = ""
    subscribers: set[_Branch] = field(default_factory=set)


class MemoryJobQueue:
    """State of all jobs, by id; a key belongs to one job that has not ended."""

    def __init__(self, broker: MemoryBroker | None = None) -> None:
        self._broker = broker or MemoryBroker()
        self._entries: dict[str, _Entry] = {}
        self._failed: dict[tuple[str, str], str] = {}
        self._attributes: dict[tuple[str, str], str] = {}
        self._missing: dict[tuple[str, str], MissingContent] = {}
        #: Of jobs that were asked for, by id.
        self.priorities: dict[str, int] = {}

    def in_flight(self, repository: str, keys: Sequence[str]) -> Mapping[str, str]:
        """Keys of jobs that have not ended, with the job's id."""
        self._broker.ask()
        live = {
            key: job_id
            for job_id, entry in self._entries.items()
            if entry.state in ("waiting", "running") and entry.job.queue_namespace == repository
            for _, key in entry.job.datums
        }
        return {key: live[key] for key in keys if key in live}

    def failures(self, repository: str, keys: Sequence[str]) -> Mapping[str, Failure]:
        """Keys that failed for good."""
        self._broker.ask()
        return {
            key: Failure(
                self._failed[repository, key],
                attributes=self._attributes.get((repository, key), ""),
            )
            for key in keys
            if (repository, key) in self._failed
        }

    def missing(self, repository: str, keys: Sequence[str]) -> Mapping[str, MissingContent]:
        """Keys whose inputs had no content."""
        self._broker.ask()
        found = self._missing
        return {key: found[repository, key] for key in keys if (repository, key) in found}

    def next_attempt(self, job: Job) -> Job:
        """The job itself: no log of an earlier one would be lost."""
        self._broker.ask()
        return job

    def enqueue(self, job: Job, *, pushed: str = "", priority: int = 1) -> bool:
        """Keep a job unless it is waiting or running already."""
        self._broker.ask()
        self.priorities[job.id] = priority
        entry = self._entries.get(job.id)
        new = entry is None or entry.state not in ("waiting", "running")
        if new:
            entry = self._entries[job.id] = _Entry(job, pushed=pushed)
        assert entry is not None
        entry.subscribers.add((job.repository, job.branch))
        return new

    def of_other_pushes(
        self, repository: str, branch: str, jobs: Sequence[str], pushed: str
    ) -> Sequence[Job]:
        """Waiting jobs of another push to the branch, or of a branch that has left them."""
        self._broker.ask()
        found = []
        for entry in (self._entries[job_id] for job_id in jobs):
            job = entry.job
            own = job.repository == repository and (
                job.branch == branch or (repository, job.branch) not in entry.subscribers
            )
            if own and entry.state == "waiting" and entry.pushed != pushed:
                found.append(job)
        return found

    def move(self, job: Job, pushed: str) -> bool:
        """Replace a waiting job."""
        self._broker.ask()
        entry = self._entries[job.id]
        if entry.state != "waiting":
            return False
        entry.job, entry.pushed = job, pushed
        return True

    def running(self, jobs: Sequence[str]) -> Collection[str]:
        """Jobs in that state."""
        self._broker.ask()
        return {job_id for job_id in jobs if self.state(job_id) == "running"}

    def subscribe(self, repository: str, branch: str, job_id: str) -> None:
        """Have a branch planned when a job has ended."""
        self._broker.ask()
        self._entries[job_id].subscribers.add((repository, branch))

    # -- what workers and tests do -----------------------------------------------------------

    def jobs(self, *states: str) -> list[Job]:
        """Jobs in these states; waiting ones without any."""
        return [e.job for e in self._entries.values() if e.state in (states or ("waiting",))]

    def claim(self, job_id: str) -> Job | None:
        """Begin a waiting job; None when it is not waiting."""
        entry = self._entries.get(job_id)
        if entry is None or entry.state != "waiting":
            return None
        entry.state = "running"
        return entry.job

    def finish(self, job_id: str, state: str = "done") -> None:
        """End a job and announce the branches that wait for no other one."""
        entry = self._entries[job_id]
        entry.state = state
        for branch in sorted(entry.subscribers):
            waits = any(
                branch in other.subscribers and other.state in ("waiting", "running")
                for other in self._entries.values()
            )
            if not waits:
                self._broker.plan_queue.append(branch)

    def fail(
        self, job: Job, sentences: Mapping[str, str], attributes: Mapping[str, str] | None = None
    ) -> None:
        """Keep the sentences with which keys failed for good."""
        where = job.queue_namespace
        self._failed.update({(where, key): text for key, text in sentences.items()})
        self._attributes.update({(where, key): each for key, each in (attributes or {}).items()})

    def forget_failures(self, repository: str, keys: Iterable[str]) -> None:
        """Let keys be tried again."""
        for key in keys:
            self._failed.pop((repository, key), None)

    def record_missing(
        self, job: Job, annex_tip: str, sentence: str, keys: Collection[str] | None = None
    ) -> None:
        """Keep that inputs of a job, or of these datums of it, had no content at this time."""
        for key in [key for _, key in job.datums] if keys is None else keys:
            self._missing[job.queue_namespace, key] = MissingContent(
                job.commit, annex_tip, sentence
            )

    def unsubscribe_except(self, branch: _Branch, jobs: Collection[str]) -> None:
        """Cancel waiting jobs that only this branch waits for, except *jobs*."""
        for job_id, entry in self._entries.items():
            if job_id not in jobs and branch in entry.subscribers:
                entry.subscribers.discard(branch)
                if entry.state == "waiting" and not entry.subscribers:
                    entry.state = "cancelled"

    def state(self, job_id: str) -> str:
        """The state of a job; empty for an unknown one."""
        entry = self._entries.get(job_id)
        return entry.state if entry else ""


class MemoryRecomputeRequests:
    """Recompute requests of one branch."""

    def __init__(
        self,
        queue: MemoryJobQueue,
        repository: str = "lab/data",
        branch: str = "main",
        broker: MemoryBroker | None = None,
    ) -> None:
        self._queue = queue
        self._branch = (repository, branch)
        self._broker = broker or MemoryBroker()
        self._pending: dict[str, str] = {}
        self._recorded: set[tuple[str, str, str]] = set()
        self.verdicts: list[RecomputeVerdict] = []
        self.locked = False

    def add(self, words: Iterable[str], request: str) -> None:
        """Ask for keys or pipelines."""
        self._broker.ask()
        self._pending.update(dict.fromkeys(words, request))

    def pending(self) -> Mapping[str, str]:
        """What is not done yet."""
        self._broker.ask()
        return dict(self._pending)

    def complete(self, words: Iterable[str]) -> None:
        """Forget requests."""
        self._broker.ask()
        for word in words:
            self._pending.pop(word, None)

    def record_verdicts(self, request: str, verdicts: Sequence[RecomputeVerdict]) -> None:
        """Keep verdicts, one for each request and key."""
        self._broker.ask()
        for verdict in verdicts:
            name = (request, verdict.pipeline, verdict.key)
            if name not in self._recorded:
                self._recorded.add(name)
                self.verdicts.append(verdict)

    def cancel_jobs_except(self, jobs: Collection[str]) -> None:
        """Cancel jobs that nobody waits for."""
        self._broker.ask()
        self._queue.unsubscribe_except(self._branch, jobs)

    def exclusive(self) -> AbstractContextManager[object]:
        """A lock that is not reentrant."""
        return self._lock()

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        self._broker.ask()
        assert not self.locked
        self.locked = True
        try:
            yield
        finally:
            self.locked = False


class MemoryPlanRequests:
    """Branches that are to be planned."""

    def __init__(self, broker: MemoryBroker | None = None) -> None:
        self.broker = broker or MemoryBroker()
        self._requested: dict[_Branch, str] = {}

    def request_plan(self, repository: str, ref: str, *, why: str) -> None:
        """Announce a branch unless it is announced already."""
        self.broker.ask()
        branch = (repository, ref.removeprefix("refs/heads/"))
        if branch not in self._requested:
            self._requested[branch] = why
            self.broker.plan_queue.append(branch)

    def begin(self, repository: str, branch: str) -> str:
        """Take a request; returns why it was made."""
        self.broker.ask()
        return self._requested.pop((repository, branch), "")

    @property
    def requested(self) -> Mapping[_Branch, str]:
        """What is requested and not begun."""
        return dict(self._requested)
