"""Executor whose jobs run in threads of this process, each with git processes of its own."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence

from tea_runner.core.errors import ContentMissing
from tea_runner.core.planning.job import Job
from tea_runner.core.planning.job_outcome import JobOutcome
from tea_runner.host.bounded_text import BoundedText
from tea_runner.ports.executor import JobEnded
from workers.job_report import JobReport
from workers.job_runner import JobRunner


def run_one_job(
    runner: JobRunner, job: Job, log_bytes: int, cancelled: Callable[[], bool]
) -> JobOutcome:
    """Carry out one job of a clone.

    :param log_bytes: the most that is kept of what commands print.
    :param cancelled: whether the job is to stop; called several times a second.
    :raises OutsideError: when a storage or the machine failed.
    :raises Cancelled: when it was stopped.
    """
    output = BoundedText(log_bytes)
    try:
        report = runner.run(job, output.write, cancelled)
    except ContentMissing as error:
        report = JobReport(missing=dict.fromkeys((key for _, key in job.datums), str(error)))
    return JobOutcome(failures={**report.failures, **report.missing}, log=output.read())


class JobThreads:
    """So many threads; their runners stay open, because each parses the pipeline files once."""

    def __init__(self, new_runner: Callable[[], JobRunner], count: int, log_bytes: int) -> None:
        """Start nothing yet.

        :param count: most jobs at once.
        :param log_bytes: the most that is kept of what the commands of a job print.
        """
        self._new_runner, self._count, self._log_bytes = new_runner, count, log_bytes
        self._runners: list[JobRunner] = []

    def run(self, jobs: Sequence[Job], ended: JobEnded) -> None:
        """Carry out jobs; see the port."""
        waiting: queue.SimpleQueue[Job] = queue.SimpleQueue()
        for job in jobs:
            waiting.put(job)
        stop, enough = threading.Event(), threading.Event()
        broken: list[BaseException] = []

        def run_queued(runner: JobRunner) -> None:
            try:
                while not (stop.is_set() or enough.is_set()):
                    try:
                        job = waiting.get_nowait()
                    except queue.Empty:
                        return
                    if not ended(job, run_one_job(runner, job, self._log_bytes, stop.is_set)):
                        enough.set()
                    runner.evict_unused()
            except BaseException as error:
                broken.append(error)
                stop.set()

        runners = self._first(min(self._count, len(jobs)))
        threads = [threading.Thread(target=run_queued, args=(runner,)) for runner in runners]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                while thread.is_alive():
                    thread.join(0.2)
        except BaseException:
            stop.set()
            for thread in threads:
                thread.join()
            raise
        if broken:
            raise broken[0]

    def close(self) -> None:
        """Close the runners."""
        for runner in self._runners:
            runner.close()
        self._runners.clear()

    def _first(self, count: int) -> Sequence[JobRunner]:
        while len(self._runners) < count:
            self._runners.append(self._new_runner())
        return self._runners[:count]
