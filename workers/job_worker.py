"""A job's id in, the job done, given back or parked: one after the other, until told to stop."""

from __future__ import annotations

import atexit
import contextlib
import logging
import math
import os
import random
import socket
import time
import uuid
from typing import Literal

from tea_runner.broker.job_logs import JobLog
from tea_runner.broker.job_store import Claim
from tea_runner.core.errors import (
    Cancelled,
    ContentMissing,
    OutsideError,
    Refused,
    Superseded,
    TeaError,
)
from tea_runner.host.log_redaction import redact_logs
from tea_runner.host.step_hook import reached
from tea_runner.host.structured_log import log_fields
from tea_runner.sandbox.scratch_folder import ScratchFolder, is_host_error
from tea_runner.wiring import Site
from workers.heartbeat import Heartbeat
from workers.job_runner import JobRunner, WorkerDependencies
from workers.resource_pool import ResourcePool

log = logging.getLogger(__name__)

#: Tries of a job that the outside world made fail, and of one that met a bug of ours.
_TRIES, _TRIES_OF_BUGS = 40, 3
#: Seconds for which lines of a log are gathered.
_LOG_PAUSE = 0.2
#: The longest time between two tries, in seconds.
_LONGEST_WAIT = 300
#: Repositories that are kept open.
_WARM = 8


def new_token() -> str:
    """A name for one claim."""
    return uuid.uuid4().hex


def explain(error: BaseException) -> str:
    """The sentence that people see for an error."""
    return error.message if isinstance(error, TeaError) else f"{type(error).__name__}: {error}"


def worker_name(kind: str) -> str:
    """Host and process, so that people know where to look."""
    return f"{kind}-{socket.gethostname()}-{os.getpid()}-{new_token()[:4]}"


class JobWorker:
    """Does jobs, one after the other, until it is told to stop."""

    def __init__(self, site: Site, name: str) -> None:
        self._site = site
        self.name = name
        self._workshops = ResourcePool(self._open, _WARM)
        self._stopping: float | None = None
        self._claim: Claim | None = None
        self.scratch = ScratchFolder(site.settings.scratch.expanduser(), site.settings.worker.free)
        self.scratch.sweep()
        redact_logs(site.redactor.text)

    def stop(self) -> None:
        """Take no more jobs; the one in hand may go on for most of the time of grace."""
        self._stopping = self._stopping or time.monotonic()

    def give_up(self) -> None:
        """The time of grace is over: another worker may have the job in hand."""
        if self._claim is not None:
            with contextlib.suppress(Exception):
                self._site.jobs.release(self._claim)

    @property
    def _out_of_time(self) -> bool:
        grace = self._site.settings.worker.grace
        return self._stopping is not None and time.monotonic() - self._stopping > 0.8 * grace

    def __call__(self, job_id: str) -> None:
        """One job, by its id."""
        with log_fields(job=job_id):
            self._claim_and_run(job_id)

    def _claim_and_run(self, job_id: str) -> None:
        jobs = self._site.jobs
        reached("claim")
        problem = self.scratch.problem()
        if problem:
            log.warning("job is left to other workers: %s", problem)
            self._site.queues.enqueue("work", job_id)
            return
        try:
            claim = jobs.claim(job_id, self.name, new_token())
        except Refused as error:
            log.error("job is dropped: %s", error.message)
            return
        if claim is None:
            return
        self._claim = claim
        try:
            job = claim.job
            fields = {"repository": job.repository, "pipeline": job.pipeline}
            with log_fields(attempt=claim.attempt, **fields):
                self._do(claim)
        finally:
            self._claim = None

    def _do(self, claim: Claim) -> None:
        jobs, job = self._site.jobs, claim.job
        job_log = self._site.job_log(job.id)
        every = self._site.settings.worker.lease / 4
        with Heartbeat(lambda: jobs.extend(claim) and not jobs.is_cancelled(claim), every) as beat:
            reached("claim.end")

            def cancelled() -> bool:
                # Asked several times a second while a command runs: nobody waits long for its lines.
                job_log.flush()
                return beat.lost or self._out_of_time or jobs.is_cancelled(claim)

            try:
                job_log.start()
                workshop = self._workshops[job.repository]
                report = None
                if not (claim.doubtful and workshop.is_done(job)):
                    with job_log.together(_LOG_PAUSE):
                        report = workshop.run(
                            job,
                            job_log.write,
                            cancelled=cancelled,
                            mine=lambda: not beat.lost and jobs.holds(claim),
                        )
                workshop.rest()
            except Cancelled:
                jobs.release(claim)
                return
            except Superseded as error:
                # Whoever still wants its datums plans again, and asks for them at the newer commit.
                job_log.write(f"tea-runner: {error.message}\n".encode())
                jobs.finish(claim, "cancelled", error.message)
                return
            except ContentMissing as error:
                # Not a failure: the datums wait until the git-annex branch moves.
                job_log.write(f"tea-runner: {error.message}\n".encode())
                jobs.record_missing(job, workshop.annex_tip, error.message)
                jobs.finish(claim, "failed", error.message)
                return
            except OutsideError as error:
                self._later(claim, job_log, error.message)
                return
            except TeaError as error:
                job_log.write(f"tea-runner: {error.message}\n".encode())
                self._fail(claim, error.message)
                return
            except OSError as error:
                if is_host_error(error):
                    self._later(claim, job_log, f"on {self.name}: {error}")
                else:
                    self._bug(claim, job_log, error)
                return
            except Exception as error:
                self._bug(claim, job_log, error)
                return
        if report is None:
            # Somebody had done it, and could not say so.
            jobs.finish(claim, "done")
            return
        problem = self.scratch.problem() if report.failures else ""
        if problem:
            # Whatever the commands said: this machine was in no state to run them.
            self._later(claim, job_log, problem)
            return
        reached("end")
        first = next(iter(report.failures.values()), "")
        jobs.set_fields(job.id, seconds=f"{report.seconds:.3f}", datums=str(len(job.datums)))
        if not report.failures:
            self._site.throughputs.record(
                job.repository, job.pipeline, datums=len(job.datums), seconds=report.seconds
            )
        state: Literal["failed", "done"] = "failed" if report.failures else "done"
        jobs.finish(claim, state, first, failures=report.failures)
        reached("end.end")

    def _fail(self, claim: Claim, error: str) -> None:
        """End a job whose datums all failed for good with this error."""
        failures = dict.fromkeys((key for _, key in claim.job.datums), error)
        self._site.jobs.finish(claim, "failed", error, failures=failures)

    def _bug(self, claim: Claim, job_log: JobLog, error: Exception) -> None:
        log.exception("a bug in tea-runner")
        # What the world did to it before is no reason to give up at the first bug.
        last = self._site.jobs.count(claim.job.id, "bugs") >= _TRIES_OF_BUGS
        self._later(claim, job_log, f"a bug of tea-runner: {explain(error)}", last=last)

    def _later(self, claim: Claim, job_log: JobLog, sentence: str, *, last: bool = False) -> None:
        """Another try, after a time that doubles; the sentence is final after very many.

        :param last: it is final now.
        """
        jobs = self._site.jobs
        job_log.write(f"tea-runner: {sentence}\n".encode("utf-8", "backslashreplace"))
        log.warning("attempt failed: %s", sentence)
        # Tries that ended with their worker say nothing of the world: they make no pause longer.
        troubles = jobs.count(claim.job.id, "troubles")
        if last or troubles >= _TRIES:
            self._fail(claim, sentence)
            return
        if troubles <= 2:
            time.sleep(0.25 * troubles)
            jobs.retry_later(claim, sentence)
            return
        wait = min(2.0 ** min(troubles - 2, 10), _LONGEST_WAIT)
        wait *= random.uniform(0.75, 1.0)  # noqa: S311 - not a secret
        jobs.retry_later(claim, sentence, wait=math.ceil(wait))

    def _open(self, repository: str) -> JobRunner:
        return JobRunner(
            self._site.repository(repository), worker_dependencies(self._site, self.scratch)
        )

    def close(self) -> None:
        """End the processes behind it."""
        self._workshops.close()
        self.scratch.close()


def worker_dependencies(site: Site, scratch: ScratchFolder | None = None) -> WorkerDependencies:
    """What a worker of this host works with; without *scratch* a room until this process ends."""
    if scratch is None:
        scratch = ScratchFolder(site.settings.scratch.expanduser())
        scratch.sweep()
        atexit.register(scratch.close)
    return WorkerDependencies(
        scratch=scratch,
        environment=site.environment,
        limits=site.limits,
        network=site.settings.sandbox.network,
        who=site.author,
        bounds=site.output_limits,
        secrets=site.give_secrets,
        redactor=site.redactor,
    )
