"""Jobs in Redis: their states, claims, subscribers and failures.

Everything here can be lost at any time: it is planned again from git.  A job moves between states in
Lua scripts only (:mod:`tea_runner.broker.job_scripts`), so two processes never see half of a move.
Keys are in :mod:`tea_runner.broker.redis_keys`.
"""

from __future__ import annotations

import contextlib
import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import redis

from tea_runner.broker import job_scripts, redis_keys
from tea_runner.broker.connection import raises_queue_error
from tea_runner.broker.datum_key_states import DatumKeyStates, with_attributes
from tea_runner.broker.job_scripts import CANCELLED_MARK
from tea_runner.core.errors import NewerMessage, NotFound, Refused
from tea_runner.core.planning.job import Job, seal_job, unseal_job

log = logging.getLogger(__name__)

_NONE: Mapping[str, str] = {}


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A worker's right to a job, until its lease runs out."""

    job: Job
    token: str
    attempt: int
    #: The job may have been done before, in whole or in part: it was claimed before, or Redis was
    #: restored from a copy.
    doubtful: bool = False


@raises_queue_error
class JobStore(DatumKeyStates):
    """The state of all jobs.

    Every method raises QueueError when Redis does not answer, unless it says otherwise.

    :param enqueue: puts an argument (job id, or repository and branch as JSON) into the queue of a
        kind (``job`` or ``plan``).
    :param secret: key of the seal on jobs.
    :param lease: seconds until a claim that is not extended ends.
    :param crashes: how many workers in a row may die of a job before it is parked.
    :param redact: takes secrets out of errors before they are kept.
    :param has_planners_key: whether *secret* is the key with which the planners sign now.
    """

    def __init__(
        self,
        connection: redis.Redis,
        enqueue: Callable[[str, str], None],
        *,
        secret: bytes,
        lease: int = 45,
        crashes: int = 3,
        redact: Callable[[str], str] = str,
        has_planners_key: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__(connection, secret=secret, redact=redact)
        self._has_planners_key = has_planners_key
        self._enqueue = enqueue
        self._lease = lease
        self._crashes = crashes
        register = connection.register_script
        self._enqueue_script = register(job_scripts.ENQUEUE)
        self._move_script = register(job_scripts.MOVE)
        self._subscribe_script = register(job_scripts.SUBSCRIBE)
        self._claim_script = register(job_scripts.CLAIM)
        self._extend_script = register(job_scripts.EXTEND)
        self._release_script = register(job_scripts.RELEASE)
        self._end_script = register(job_scripts.END)

    # -- for planners ------------------------------------------------------------------------

    def enqueue(self, job: Job, *, pushed: str = "", priority: int = 1) -> bool:
        """Enqueue a job and subscribe its branch to its end.

        :param pushed: see :class:`tea_runner.ports.JobQueue`; so for *priority*.
        :returns: whether it was new; False for a job that waits or runs already.
        """
        branch = redis_keys.branch_id(job.repository, job.branch)
        new = self._enqueue_script(
            keys=[
                redis_keys.job(job.id),
                redis_keys.subscribers(job.id),
                redis_keys.pending(branch),
                redis_keys.live_jobs(),
                redis_keys.known_jobs(),
                *(redis_keys.in_flight(job.queue_namespace, key) for _, key in job.datums),
            ],
            args=[
                job.id,
                seal_job(job, self._secret),
                branch,
                _now(),
                redis_keys.job.ttl,
                job.worker_class,
                job.repository,
                pushed,
                priority,
            ],
        )
        if new:
            self._enqueue("job", job.id)
        return bool(new)

    def move(self, job: Job, pushed: str) -> bool:
        """See :class:`tea_runner.ports.JobQueue`; the state of the job is looked at in the same step."""
        moved = self._move_script(
            keys=[redis_keys.job(job.id)],
            args=[seal_job(job, self._secret), job.worker_class, pushed],
        )
        if moved == 2:
            self._enqueue("job", job.id)
        return bool(moved)

    def subscribe(self, repository: str, branch: str, job_id: str) -> None:
        """Have the branch planned again when the job has ended, which may be now."""
        subscriber = redis_keys.branch_id(repository, branch)
        requested = self._subscribe_script(
            keys=[
                redis_keys.job(job_id),
                redis_keys.subscribers(job_id),
                redis_keys.pending(subscriber),
                redis_keys.plan_requests(),
            ],
            args=[job_id, subscriber, redis_keys.subscribers.ttl, job_scripts.ENDED],
        )
        if requested:
            self._enqueue("plan", json.dumps([repository, branch]))

    # -- for workers -------------------------------------------------------------------------

    def claim(self, job_id: str, worker: str, token: str) -> Claim | None:
        """Claim a job; None when it cannot be claimed (now).

        A job that cannot be verified with the planners' own key was signed with a former one: it is
        ended, and its branches are planned again.

        A job of a newer planner waits again for a newer worker, for the time of a lease.

        :raises Refused: when the job in Redis cannot be verified with the key of this process.  It
            waits again, too, and the attempt does not count.
        """
        answer: Any = self._claim_script(
            keys=[redis_keys.job(job_id), redis_keys.lease(job_id)],
            args=[token, worker, _now(), self._lease, self._crashes],
        )
        attempt, age, body, troubled = answer
        if attempt == 0:
            return None
        if attempt == -2:
            # Its worker died before it saw the cancellation.
            with contextlib.suppress(NotFound):
                self.cancel(job_id)
            return None
        try:
            job = unseal_job(body.decode("utf-8", "replace"), self._secret)
        except Refused as refusal:
            is_newer = isinstance(refusal, NewerMessage)
            if not is_newer and self._has_planners_key():
                self._discard(job_id)
                return None
            self._release_script(
                keys=[redis_keys.job(job_id), redis_keys.lease(job_id)],
                args=[token, -1, self._lease, ""],
            )
            if is_newer:
                log.warning("%s", refusal.message)
                return None
            raise
        if attempt < 0:
            error = (
                f"its worker died {self._crashes} times in a row; "
                f"it is parked until somebody retries it"
            )
            failures = dict.fromkeys((key for _, key in job.datums), error)
            self._end(job, "park", "failed", error, failures=failures)
            return None
        doubtful = attempt > 1 or age > self._lease or bool(troubled)
        return Claim(job=job, token=token, attempt=attempt, doubtful=doubtful)

    def _discard(self, job_id: str) -> None:
        """End a job that nobody can verify; its keys stay in flight for nobody, because it has ended."""
        self._end(job_id, "discard", "cancelled", job_scripts.FORMER_KEY)

    def extend(self, claim: Claim) -> bool:
        """Renew the lease of a claim; False when the claim is lost."""
        name = redis_keys.lease(claim.job.id)
        return bool(self._extend_script(keys=[name], args=[claim.token, self._lease]))

    def holds(self, claim: Claim) -> bool:
        """Whether the claim is good still; True also when Redis is silent, for the forge decides."""
        try:
            token = self._redis.get(redis_keys.lease(claim.job.id))
        except redis.RedisError:
            return True
        return token == claim.token.encode()

    def release(self, claim: Claim) -> None:
        """Give a claim back so that another worker may take the job at once.

        A job that was cancelled meanwhile ends instead.
        """
        self._release(claim, attempts=-1)

    def put_off(self, claim: Claim, *, wait: int) -> None:
        """Give a claim back that was not used; the attempt does not count.

        :param wait: seconds until the job can be claimed; the reconciler queues it then.
        """
        self._release(claim, attempts=-1, wait=wait)

    def retry_later(self, claim: Claim, error: str, *, wait: int = 0) -> None:
        """Give a claim back after an outside error; the attempt counts.

        :param wait: seconds until the job can be claimed; the reconciler queues it then.
        """
        self._release(claim, wait=wait, error=error)

    def _release(self, claim: Claim, *, attempts: int = 0, wait: int = 0, error: str = "") -> None:
        released = self._release_script(
            keys=[redis_keys.job(claim.job.id), redis_keys.lease(claim.job.id)],
            args=[claim.token, attempts, wait, self._redact(error)],
        )
        if released == -1:
            self._cancel(claim.job, claim.token)
        elif released and not wait:
            self._enqueue("job", claim.job.id)

    def set_fields(self, job_id: str, **fields: str) -> None:
        """Keep facts of a job that pages show."""
        if fields:
            self._redis.hset(redis_keys.job(job_id), mapping=dict(fields))  # type: ignore[arg-type]

    def count(self, job_id: str, what: Literal["bugs", "troubles"]) -> int:
        """Count an attempt that ended by a bug, or by an outside error; returns how many did."""
        number: Any = self._redis.hincrby(redis_keys.job(job_id), what, 1)
        return int(number)

    def finish(
        self,
        claim: Claim,
        state: Literal["done", "failed", "cancelled"],
        error: str = "",
        *,
        failures: Mapping[str, str] | None = None,
        attributes: Mapping[str, str] | None = None,
    ) -> None:
        """End a claimed job; branches that waited for it alone are planned again.

        Nothing changes when the claim is lost.

        :param failures: keys that failed for good, with their errors.
        :param attributes: those of them that failed only with certain attributes, with their digest.
        """
        self._end(
            claim.job,
            "finish",
            state,
            error,
            token=claim.token,
            failures=failures or _NONE,
            attributes=attributes or _NONE,
        )

    # -- cancelling --------------------------------------------------------------------------

    def cancel(self, job_id: str, *, by: str = "") -> str:
        """Cancel a job for every branch that is subscribed to it.

        :param by: who cancels it.
        :returns: ``cancelled`` when it had not begun, ``stopping`` when its worker will see it
            soon, ``ended`` when it had ended already.
        :raises NotFound: when there is no such job.
        """
        facts = self.facts([job_id]).get(job_id)
        if facts is None or facts.job is None:
            raise NotFound(
                f"there is no job {job_id}", hint="tea-runner show RUN lists those of a run"
            )
        if by and facts.state in ("waiting", "running"):
            self.set_fields(job_id, cancelled_by=by)
        outcome = self._cancel(facts.job, "")
        return {"ended": "cancelled", "over": "ended"}.get(outcome, outcome)

    def is_cancelled(self, claim: Claim) -> bool:
        """Whether somebody cancelled this job; False also when Redis is silent."""
        try:
            return bool(self._redis.hexists(redis_keys.job(claim.job.id), "cancel"))
        except redis.RedisError:
            return False

    def unsubscribe(self, job: Job, repository: str, branch: str, why: str) -> None:
        """End a branch's interest in a job; a waiting job without subscribers is cancelled."""
        subscriber = redis_keys.branch_id(repository, branch)
        self._end(job, "unsubscribe", "cancelled", why, subscriber=subscriber)

    def _cancel(self, job: Job, token: str) -> str:
        by: Any = self._redis.hget(redis_keys.job(job.id), "cancelled_by")
        who = by.decode("utf-8", "replace") if by else "somebody"
        error = job_scripts.CANCELLED.format(by=who, job=job.id)
        failures = dict.fromkeys((key for _, key in job.datums), error)
        return self._end(job, "cancel", "cancelled", error, token=token, failures=failures)

    def _end(
        self,
        job: Job | str,
        how: Literal["finish", "park", "cancel", "unsubscribe", "discard"],
        state: str,
        error: str,
        *,
        token: str = "",
        subscriber: str = "",
        failures: Mapping[str, str] = _NONE,
        attributes: Mapping[str, str] = _NONE,
    ) -> str:
        """End a job; returns the outcome of the script END.

        :param job: the id alone when nobody can verify it; then its keys are not known.
        """
        job_id, namespace, datums = (
            (job, "", ()) if isinstance(job, str) else (job.id, job.queue_namespace, job.datums)
        )
        redacted = {key: self._redact(each) for key, each in failures.items()}
        mark = CANCELLED_MARK if how == "cancel" else ""
        texts = {
            key: mark + with_attributes(each, attributes.get(key, ""))
            for key, each in redacted.items()
        }
        answer: Any = self._end_script(
            keys=[
                redis_keys.job(job_id),
                redis_keys.lease(job_id),
                redis_keys.subscribers(job_id),
                redis_keys.live_jobs(),
                redis_keys.plan_requests(),
                *(redis_keys.in_flight(namespace, key) for _, key in datums),
                *(redis_keys.failure(namespace, key) for key in texts),
            ],
            args=[
                how,
                job_id,
                token,
                state,
                _now(),
                self._redact(error),
                redis_keys.pending(""),
                subscriber,
                job_scripts.ENDED,
                redis_keys.failure.ttl,
                len(datums),
                json.dumps(redacted),
                *texts.values(),
            ],
        )
        outcome, *branches = answer
        for branch in branches:
            self._enqueue("plan", json.dumps(redis_keys.split_branch_id(branch)))
        return str(outcome.decode())

    def problem(self) -> str:
        """Why Redis cannot be used; empty when it answers.  Raises nothing."""
        try:
            self._redis.ping()
        except redis.RedisError as error:
            return str(error)
        return ""


def _now() -> str:
    return f"{time.time():.3f}"
