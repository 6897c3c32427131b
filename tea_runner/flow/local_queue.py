"""Jobs in, the same jobs done in this process out: the queue of a laptop."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager

from tea_runner.core.planning.job import Job
from tea_runner.core.planning.recompute_verdict import RecomputeVerdict
from tea_runner.ports import MissingContent


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

    def missing(self, repository: str, keys: Sequence[str]) -> Mapping[str, MissingContent]:  # noqa: ARG002
        """Nothing: content that is missing is a failure of this call."""
        return {}

    def enqueue(self, job: Job) -> bool:
        """Keep a job for :meth:`take`."""
        new = job.id not in self._wanted
        self._wanted[job.id] = job
        return new

    def subscribe(self, repository: str, branch: str, job_id: str) -> None:
        """Nothing is under way that could be waited for."""

    def take(self) -> list[Job]:
        """The jobs that are wanted, once."""
        jobs = list(self._wanted.values())
        self._wanted.clear()
        return jobs


class LocalRecomputeRequests:
    """What one call wants computed although it is known."""

    def __init__(
        self, words: Iterable[str], wish: str, note: Callable[[Sequence[RecomputeVerdict]], None]
    ) -> None:
        """For keys and pipelines' names.

        :param note: writes verdicts down.
        """
        self._forced = dict.fromkeys(words, wish)
        self._note = note
        self.verdicts: list[RecomputeVerdict] = []

    def pending(self) -> Mapping[str, str]:
        """What is still wanted."""
        return dict(self._forced)

    def complete(self, words: Iterable[str]) -> None:
        """These are done."""
        for word in words:
            self._forced.pop(word, None)

    def record_verdicts(self, salt: str, verdicts: Sequence[RecomputeVerdict]) -> None:  # noqa: ARG002 - see the port
        """Keep and write down what came of it."""
        self.verdicts += verdicts
        self._note(verdicts)

    def cancel_jobs_except(self, jobs: Collection[str]) -> None:
        """Jobs are done in this process, between two plans."""

    def exclusive(self) -> AbstractContextManager[object]:
        """Nobody else is here."""
        return contextlib.nullcontext()
