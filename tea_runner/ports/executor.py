"""Where the jobs of ``tea-runner run`` are carried out: threads of this process, Slurm, Dask."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from tea_runner.core.planning.job import Job
from tea_runner.core.planning.job_outcome import JobOutcome

#: Receives each job with its outcome, from any thread, as soon as it has ended; returns whether others may
#: begin still.
JobEnded = Callable[[Job, JobOutcome], bool]


class Executor(Protocol):
    """Carries out jobs of a clone, whose results are in the clone afterwards."""

    def run(self, jobs: Sequence[Job], ended: JobEnded) -> None:
        """Carry out jobs and return when all have ended, or when no other may begin.

        On Ctrl-C, or when *ended* raises an error, what runs is stopped before it returns.

        :raises OutsideError: when jobs cannot be carried out at all; results of others are kept.
        """

    def close(self) -> None:
        """Give back what stays open between two calls of :meth:`run`."""
