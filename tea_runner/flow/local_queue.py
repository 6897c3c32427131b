"""The job queue of one process, for ``tea-runner run``: nothing is shared, nothing is kept."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

from tea_runner.core.planning.job import Job
from tea_runner.core.planning.recompute_verdict import RecomputeVerdict
from tea_runner.ports import Failure, MissingContent


class LocalQueue:
    """Holds jobs until :meth:`take`, and failures for as long as it lives."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._priorities: dict[str, int] = {}
        #: Key to error sentence.
        self.failed: dict[str, str] = {}
        #: Keys of the datums that are computed; None for all.
        self.only: Collection[str] | None = None

    def in_flight(self, repository: str, keys: Sequence[str]) -> Mapping[str, str]:  # noqa: ARG002
        """Nothing: all jobs end before the next plan."""
        return {}

    def failures(self, repository: str, keys: Sequence[str]) -> Mapping[str, Failure]:  # noqa: ARG002
        """Failures of this process."""
        return {key: Failure(self.failed[key]) for key in keys if key in self.failed}

    def missing(self, repository: str, keys: Sequence[str]) -> Mapping[str, MissingContent]:  # noqa: ARG002
        """Nothing: missing content is a failure of this run."""
        return {}

    def next_attempt(self, job: Job) -> Job:
        """The job itself: nothing is kept of jobs that have ended."""
        return job

    def enqueue(self, job: Job, *, pushed: str = "", priority: int = 1) -> bool:  # noqa: ARG002
        """Hold a job for :meth:`take`."""
        new = job.id not in self._jobs
        self._priorities[job.id] = priority
        self._jobs[job.id] = job
        return new

    def of_other_pushes(
        self,
        repository: str,  # noqa: ARG002
        branch: str,  # noqa: ARG002
        jobs: Sequence[str],  # noqa: ARG002
        pushed: str,  # noqa: ARG002
    ) -> Sequence[Job]:
        """Nothing: no job is in flight."""
        return ()

    def move(self, job: Job, pushed: str) -> bool:  # noqa: ARG002
        """Nothing: no job is in flight."""
        return False

    def running(self, jobs: Sequence[str]) -> Collection[str]:  # noqa: ARG002
        """Nothing: no job is in flight."""
        return ()

    def subscribe(self, repository: str, branch: str, job_id: str) -> None:
        """Does nothing: no job is in flight."""

    def take(self) -> list[Job]:
        """Remove and return all jobs, those of the highest priority first."""
        jobs = sorted(self._jobs.values(), key=lambda job: -self._priorities[job.id])
        self._jobs.clear()
        self._priorities.clear()
        if self.only is None:
            return jobs
        only = self.only
        narrowed = (
            replace(job, datums=tuple(pair for pair in job.datums if pair[1] in only))
            for job in jobs
        )
        return [job for job in narrowed if job.datums]


class LocalRecomputeRequests:
    """Recompute requests of one ``tea-runner run --recompute``."""

    def __init__(
        self,
        words: Iterable[str],
        request: str,
        record: Callable[[Sequence[RecomputeVerdict]], None],
    ) -> None:
        """Request keys and pipelines.

        :param words: keys, or pipelines' names.
        :param request: id of the request.
        :param record: adds verdicts to the ledger.
        """
        self._pending = dict.fromkeys(words, request)
        self._record = record
        self.verdicts: list[RecomputeVerdict] = []

    def pending(self) -> Mapping[str, str]:
        """Key or pipeline's name to the id of the request."""
        return dict(self._pending)

    def complete(self, words: Iterable[str]) -> None:
        """Remove completed keys and names."""
        for word in words:
            self._pending.pop(word, None)

    def record_verdicts(self, request: str, verdicts: Sequence[RecomputeVerdict]) -> None:  # noqa: ARG002 - see the port
        """Keep verdicts and add them to the ledger."""
        self.verdicts += verdicts
        self._record(verdicts)

    def cancel_jobs_except(self, jobs: Collection[str]) -> None:
        """Does nothing: no job is in flight."""

    def exclusive(self) -> AbstractContextManager[object]:
        """No lock: there is no other process."""
        return contextlib.nullcontext()
