"""Executor whose jobs run in threads of this process, each with git processes of its own."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence

from tea_runner.core.errors import ContentMissing, Refused
from tea_runner.core.planning.job import Job
from tea_runner.core.planning.job_outcome import JobOutcome
from tea_runner.core.resource_demand import ResourceDemand, capped
from tea_runner.host.bounded_text import BoundedText
from tea_runner.host.resource_ledger import Reservation, ResourceLedger
from tea_runner.ports.executor import JobEnded
from workers.job_report import JobReport
from workers.job_runner import JobRunner

#: Seconds between two tries at reserving what a job demands.
_RESERVE_EVERY = 0.05


def run_one_job(
    runner: JobRunner,
    job: Job,
    log_bytes: int,
    cancelled: Callable[[], bool],
    reservation: Reservation | None = None,
) -> JobOutcome:
    """Carry out one job of a clone.

    :param log_bytes: the most that is kept of what commands print.
    :param cancelled: whether the job is to stop; called several times a second.
    :param reservation: what this machine has reserved for it; None where another program does that.
    :raises OutsideError: when a storage or the machine failed.
    :raises Cancelled: when it was stopped.
    """
    output = BoundedText(log_bytes)
    try:
        report = runner.run(job, output.write, cancelled, reservation=reservation)
    except ContentMissing as error:
        report = JobReport(missing=dict.fromkeys((key for _, key in job.datums), str(error)))
    return JobOutcome(failures={**report.failures, **report.missing}, log=output.read())


class JobThreads:
    """So many threads; their runners stay open, because each parses the pipeline files once."""

    def __init__(
        self,
        new_runner: Callable[[], JobRunner],
        count: int,
        log_bytes: int,
        ledger: ResourceLedger,
    ) -> None:
        """Start nothing yet.

        :param count: most jobs at once.
        :param log_bytes: the most that is kept of what the commands of a job print.
        :param ledger: of this machine; a job starts when what it demands fits.
        """
        self._new_runner, self._count, self._log_bytes = new_runner, count, log_bytes
        self._ledger = ledger
        self._runners: list[JobRunner] = []

    def run(self, jobs: Sequence[Job], ended: JobEnded) -> None:
        """Carry out jobs; see the port.

        A job that demands more processors, memory or disk than the machine has gets all that there is.

        :raises Refused: when the machine has no such graphics processor.
        """
        demands = {job.id: capped(job.demand, self._ledger.offered) for job in jobs}
        for job in jobs:
            if lacking := self._ledger.lacks(demands[job.id]):
                raise Refused(
                    f"pipeline {job.pipeline}: this machine offers no {lacking[0]}",
                    hint="if it has one, say so in worker.offers, such as {gpus = 1}",
                )
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
                    reservation = self._reserve(demands[job.id], stop.is_set)
                    if reservation is None:
                        return
                    try:
                        outcome = run_one_job(
                            runner, job, self._log_bytes, stop.is_set, reservation
                        )
                    finally:
                        reservation.release()
                    if not ended(job, outcome):
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

    def _reserve(self, demand: ResourceDemand, stopped: Callable[[], bool]) -> Reservation | None:
        """Wait until the demand fits; None when the executor stops meanwhile."""
        while (reservation := self._ledger.reserve(demand)) is None:
            if stopped():
                return None
            time.sleep(_RESERVE_EVERY)
        return reservation

    def close(self) -> None:
        """Close the runners."""
        for runner in self._runners:
            runner.close()
        self._runners.clear()

    def _first(self, count: int) -> Sequence[JobRunner]:
        while len(self._runners) < count:
            self._runners.append(self._new_runner())
        return self._runners[:count]
