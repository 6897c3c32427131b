"""Jobs in, the same jobs done in this process out: the queue of a laptop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tea_runner.core.jobs import Job
from tea_runner.ports import Missed


class LocalQueue:
    """Keeps wanted jobs in a list until :meth:`take`, and failures for as long as it lives."""

    def __init__(self) -> None:
        self._wanted: dict[str, Job] = {}
        self.failed: dict[str, str] = {}

    def in_flight(self, repository: str, keys: Sequence[str]) -> Mapping[str, str]:  # noqa: ARG002
        """Nothing: jobs are done between two plans."""
        return {}

    def failures(self, repository: str, keys: Sequence[str]) -> Mapping[str, str]:  # noqa: ARG002
        """Failures of this process."""
        return {key: self.failed[key] for key in keys if key in self.failed}

    def missing(self, repository: str, keys: Sequence[str]) -> Mapping[str, Missed]:  # noqa: ARG002
        """Nothing: content that is missing is a failure of this call."""
        return {}

    def want(self, job: Job) -> bool:
        """Keep a job for :meth:`take`."""
        new = job.id not in self._wanted
        self._wanted[job.id] = job
        return new

    def wait_for(self, repository: str, branch: str, job_id: str) -> None:
        """Nothing is under way that could be waited for."""

    def take(self) -> list[Job]:
        """The jobs that are wanted, once."""
        jobs = list(self._wanted.values())
        self._wanted.clear()
        return jobs
