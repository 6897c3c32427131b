"""Consumer of the job queue: claims jobs, runs them, and finishes, releases or retries them."""

from __future__ import annotations

import contextlib
import logging
import os
import random
import socket
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from tea_runner.broker.job_logs import JobLog
from tea_runner.broker.job_store import Claim
from tea_runner.core.errors import Cancelled, NotOffered, OutsideError, Refused, Superseded
from tea_runner.core.planning.approval_or_pause import pause_of
from tea_runner.host.fault_point import reached
from tea_runner.host.log_redaction import redact_logs
from tea_runner.host.resource_ledger import Reservation
from tea_runner.host.structured_log import log_fields
from tea_runner.sandbox.scratch_folder import ScratchFolder
from tea_runner.wiring import Site
from workers.claim_heartbeat import Heartbeat
from workers.failure_policy import TOLD_AT, FailureDecision, decide_failure, retry_job
from workers.job_report import JobReport
from workers.job_runner import JobRunner
from workers.lru_pool import ResourcePool
from workers.unpushed_results import Again
from workers.worker_dependencies import worker_dependencies

log = logging.getLogger(__name__)

#: Seconds for which lines of a job's log are gathered before they are sent to Redis.
_LOG_PAUSE = 0.2
#: Repositories that are kept open.
_OPEN_REPOSITORIES = 8
#: Seconds between two searches for containers of dead workers.
_SWEEP_EVERY = 600.0
#: Seconds until a job of something that is paused is looked at again.
_PAUSED = 30
#: Seconds after its start in which a worker has about all of its time still.
_FRESH = 60.0
#: Seconds until a job that takes longer than workers of a batch system have is looked at again.
_TOO_LONG = 600
#: Part of ``worker.grace`` after which a job is interrupted, so that it can be released in time.
_INTERRUPT_AFTER = 0.8


def new_token() -> str:
    """A unique token for one claim."""
    return uuid.uuid4().hex


def worker_name(kind: str) -> str:
    """A unique name for a process, with its host and process id."""
    return f"{kind}-{socket.gethostname()}-{os.getpid()}-{new_token()[:4]}"


class JobWorker:
    """Runs jobs one after the other; an instance is the handler of a QueueConsumer."""

    def __init__(
        self,
        site: Site,
        name: str,
        *,
        ends_at: float | None = None,
        end_early: Callable[[], None] = lambda: None,
    ) -> None:
        """Open nothing yet but the scratch folder.

        :param ends_at: when a batch system ends this process, on the monotonic clock.
        :param end_early: called when the time that is left is too short for the next job.
        """
        self._site = site
        self._ends_at, self._end_early = ends_at, end_early
        self._began = time.monotonic()
        self.name = name
        self._runners = ResourcePool(self._open, _OPEN_REPOSITORIES)
        #: When a signal said stop, on the monotonic clock.
        self._stop_requested: float | None = None
        self._claim: Claim | None = None
        self._reservation = Reservation()
        self.scratch = ScratchFolder(site.settings.scratch.expanduser(), site.settings.worker.free)
        self.scratch.sweep()
        redact_logs(site.redactor.redact_text)
        self._sweep_containers()

    def _sweep_containers(self) -> None:
        """Remove containers of workers that died; they would run, and use the machine, for ever."""
        self._swept = time.monotonic()
        try:
            for name in self._site.remove_containers_of_dead_workers():
                log.warning("container of a worker that died is removed: %s", name)
        except OutsideError as error:
            log.warning("containers of dead workers are not removed: %s", error.message)

    def stop(self) -> None:
        """Claim no more jobs; the running one may go on for most of ``worker.grace``."""
        self._stop_requested = self._stop_requested or time.monotonic()

    def release_claim(self) -> None:
        """Release the claim on the running job, because this process ends now."""
        if self._claim is not None:
            with contextlib.suppress(Exception):
                self._site.jobs.release(self._claim)

    @property
    def _grace_is_over(self) -> bool:
        if self._stop_requested is None:
            return False
        grace = self._site.settings.worker.grace
        return time.monotonic() - self._stop_requested > _INTERRUPT_AFTER * grace

    def __call__(self, job_id: str) -> None:
        """Claim the job with this id, and run it.

        :raises QueueError: when Redis does not answer; the reconciler finds the job then.
        """
        if time.monotonic() - self._swept > _SWEEP_EVERY:
            self._sweep_containers()
        with log_fields(job=job_id):
            self._claim_and_run(job_id)

    def _claim_and_run(self, job_id: str) -> None:
        reached("claim")
        problem = self.scratch.problem()
        if problem:
            log.warning("job is left to other workers: %s", problem)
            self._site.queues.enqueue("job", job_id)
            return
        try:
            claim = self._site.jobs.claim(job_id, self.name, new_token())
        except Refused as error:
            log.error("job is left to other workers: %s", error.message)
            return
        if claim is None:
            return
        job = claim.job
        if pause_of(self._site.orders.lately(), job.repository, job.pipeline) is not None:
            # The planner takes it out of the queue; an order that Redis lost comes back with its next plan.
            self._site.jobs.put_off(claim, wait=_PAUSED)
            return
        if self._would_outlive(claim):
            return
        reservation = self._site.ledger.reserve(job.demand)
        if reservation is None:
            self._site.jobs.release(claim)  # Another worker of this host was faster.
            return
        self._claim, self._reservation = claim, reservation
        try:
            fields = {"repository": job.repository, "pipeline": job.pipeline}
            with log_fields(attempt=claim.attempt, **fields):
                self._run(claim)
        finally:
            self._claim = None
            reservation.release()

    def _would_outlive(self, claim: Claim) -> bool:
        """Give a job back that would not end in the time that a batch system leaves to this process."""
        job, throughput = claim.job, None
        if self._ends_at is not None:
            throughput = self._site.throughputs.get(job.repository, job.pipeline)
        if throughput is None or self._ends_at is None:
            return False
        seconds = throughput.seconds * len(job.datums)
        now = time.monotonic()
        if now + seconds <= self._ends_at:
            return False
        if now - self._began < _FRESH:
            # Another worker of the same kind has no more time than this one.
            log.warning(
                "job takes about %.0f s, more than the batch system gives a worker", seconds
            )
            self._site.jobs.put_off(claim, wait=_TOO_LONG)
        else:
            log.info("job takes about %.0f s, more than is left; this worker ends", seconds)
            self._site.jobs.release(claim)
            self._end_early()
        return True

    def _run(self, claim: Claim) -> None:
        jobs = self._site.jobs
        job_log = self._site.job_log(claim.job.id)
        every = self._site.settings.worker.lease / 4
        with Heartbeat(lambda: jobs.extend(claim) and not jobs.is_cancelled(claim), every) as beat:
            reached("claim.end")
            try:
                report = self._compute(claim, job_log, beat)
            except Exception as error:
                self._carry_out(decide_failure(error, self.name), claim, job_log, error)
                return
        problem = self.scratch.problem() if report.failures else ""
        if problem:
            # Whatever the commands reported: this machine was in no state to run them.
            self._retry(claim, job_log, FailureDecision(action="retry", message=problem))
        else:
            self._finish(claim, report)

    def _compute(self, claim: Claim, job_log: JobLog, beat: Heartbeat) -> JobReport:
        """Run the job, unless an earlier attempt has published its results."""
        jobs = self._site.jobs

        def cancelled() -> bool:
            # Called several times a second while a command runs, which sends its lines in time.
            job_log.flush()
            return beat.stopped or self._grace_is_over or jobs.is_cancelled(claim)

        self._require_allowed(claim.job.repository)
        runner = self._runners[claim.job.repository]
        report: JobReport | None = None

        def holds_claim() -> bool:
            return not beat.stopped and jobs.holds(claim)

        again = self._again(claim, job_log, cancelled)
        if claim.doubtful:
            if runner.is_done(claim.job):
                report = JobReport(done_before=True)
            else:
                report = runner.send_kept(claim.job, holds_claim, again)
        if report is None:
            # Otherwise the log of the attempt that ran the commands stays.
            job_log.start()
            with job_log.together(_LOG_PAUSE):
                report = runner.run(
                    claim.job,
                    job_log.write,
                    cancelled=cancelled,
                    holds_claim=holds_claim,
                    again=again,
                    reservation=self._reservation,
                )
        runner.evict_unused()
        return report

    def _again(self, claim: Claim, job_log: JobLog, cancelled: Callable[[], bool]) -> Again:
        """What follows an error of storage or forge after the commands: a pause, and the next try."""
        jobs = self._site.jobs

        def again(error: OutsideError) -> None:
            _log_message(job_log, error.message)
            log.warning("results could not be sent: %s", error.message)
            tries = jobs.count(claim.job.id, "troubles")
            retry = retry_job(bugs=0, failed=tries, jitter=random.random())  # noqa: S311 - not a secret
            if retry is None:
                raise error
            until = time.monotonic() + max(retry.pause, retry.wait)
            jobs.set_fields(claim.job.id, error=error.message)
            while time.monotonic() < until:
                if cancelled():
                    raise Cancelled("the worker has to stop; its results are kept on this host")
                time.sleep(0.1)
            if not jobs.subscribers(claim.job.id):
                raise Superseded("no branch waits for its results any more")

        return again

    def _require_allowed(self, repository: str) -> None:
        """Check the repository of a job against the settings of this host.

        Planners do so as well.  A host without ``repositories`` relies on them: jobs are signed.

        :raises Refused: when the settings exclude it.
        """
        if self._site.settings.repositories and not self._site.is_watched(repository):
            raise Refused(
                f"the settings of this worker exclude {repository}",
                hint="add it to repositories on each host, or take it out on all",
            )

    def _finish(self, claim: Claim, report: JobReport) -> None:
        job = claim.job
        if not report.done_before:
            reached("end")
            fields = {
                "seconds": f"{report.seconds:.3f}",
                "fetched": str(report.fetched),
                "datums": str(len(job.datums)),
                "fetch_seconds": f"{report.fetch_seconds:.3f}",
                "run_seconds": f"{report.run_seconds:.3f}",
                "store_seconds": f"{report.store_seconds:.3f}",
            }
            self._site.jobs.set_fields(job.id, **fields)
            self._measure(claim, report)
            if report.measures:
                self._site.measures.save(job.id, report.measures)
                self._site.measures.save_details(job.id, report.details.details())
            if not report.failures and not report.missing:
                self._site.throughputs.record(
                    job.repository, job.pipeline, datums=len(job.datums), seconds=report.seconds
                )
        for key, message in report.missing.items():
            annex_tip = self._runners[job.repository].annex_tip
            self._site.jobs.record_missing(job, annex_tip, message, [key])
        problems = [*report.failures.values(), *report.missing.values()]
        state: Literal["failed", "done"] = "failed" if problems else "done"
        first = next(iter(problems), "")
        self._site.jobs.finish(
            claim, state, first, failures=report.failures, attributes=report.attributes
        )
        if not report.done_before:
            reached("end.end")

    def _measure(self, claim: Claim, report: JobReport) -> None:
        """Count a job that has ended, and add its times to the metrics."""
        known = self._site.jobs.facts([claim.job.id]).get(claim.job.id)
        wait = known.started - known.created if known is not None and known.created else -1.0
        counters = self._site.metric_counters
        counters.observe(
            wait=wait,
            fetch=report.fetch_seconds,
            run=report.run_seconds,
            store=report.store_seconds,
        )
        failed = bool(report.failures or report.missing)
        reason = "command" if report.failures else "content-missing" if failed else "done"
        state = "failed" if failed else "done"
        counters.count("jobs", state, reason, pipeline=claim.job.pipeline)

    # -- after an error ----------------------------------------------------------------------

    def _carry_out(
        self, decision: FailureDecision, claim: Claim, job_log: JobLog, error: Exception
    ) -> None:
        jobs, message = self._site.jobs, decision.message
        if decision.bug:
            log.error("a bug in tea-runner", exc_info=error)
        match decision.action:
            case "release":
                jobs.release(claim)
            case "cancel":
                # Branches that need its datums still enqueue them at the newer commit.
                _log_message(job_log, message)
                jobs.finish(claim, "cancelled", message)
                pipeline = claim.job.pipeline
                self._site.metric_counters.count(
                    "jobs", "cancelled", "superseded", pipeline=pipeline
                )
            case "await content":
                # No failure: the datums wait until the git-annex branch moves.
                _log_message(job_log, message)
                annex_tip = self._runners[claim.job.repository].annex_tip
                jobs.record_missing(claim.job, annex_tip, message)
                jobs.finish(claim, "failed", message)
            case "fail":
                _log_message(job_log, message)
                self._fail(claim, message)
            case "retry":
                if isinstance(error, NotOffered):
                    # A planner of a former version put it into the queue of another need.
                    jobs.set_fields(claim.job.id, needs=error.needs)
                self._retry(claim, job_log, decision)

    def _retry(self, claim: Claim, job_log: JobLog, decision: FailureDecision) -> None:
        """Give the job back for another attempt, or end it when this error is final."""
        jobs = self._site.jobs
        _log_message(job_log, decision.message)
        log.warning("attempt failed: %s", decision.message)
        retry = retry_job(
            bugs=jobs.count(claim.job.id, "bugs") if decision.bug else 0,
            failed=jobs.count(claim.job.id, "troubles"),
            jitter=random.random(),  # noqa: S311 - not a secret
        )
        if retry is None:
            self._fail(claim, decision.message)
            return
        time.sleep(retry.pause)
        known = jobs.states([claim.job.id]).get(claim.job.id)
        is_told = known is not None and known.error == decision.message and known.troubles > TOLD_AT
        jobs.retry_later(claim, decision.message, wait=retry.wait)
        if retry.wait and not is_told:
            # Commit statuses say why it is tried again.
            for repository, branch in jobs.subscribers(claim.job.id):
                ref = f"refs/heads/{branch}"
                self._site.plan_requests.request_plan(repository, ref, why="a job is tried again")

    def _fail(self, claim: Claim, error: str) -> None:
        """End a job whose datums all failed for good with this error."""
        failures = dict.fromkeys((key for _, key in claim.job.datums), error)
        self._site.jobs.finish(claim, "failed", error, failures=failures)
        self._site.metric_counters.count("jobs", "failed", "error", pipeline=claim.job.pipeline)

    def _open(self, repository: str) -> JobRunner:
        return JobRunner(
            self._site.repository(repository),
            replace(worker_dependencies(self._site, self.scratch), offers=self._site.offers),
        )

    def close(self) -> None:
        """End the processes of its repositories."""
        self._runners.close()
        self.scratch.close()


def _log_message(job_log: JobLog, message: str) -> None:
    job_log.write(f"tea-runner: {message}\n".encode("utf-8", "backslashreplace"))
