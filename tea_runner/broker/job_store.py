"""Jobs in Redis: who wants what, who is at it, what failed.

Everything here can be lost at any time: it is planned again from git.  Moves between states are Lua
scripts, so that two processes never see half of one.

Keys (all below ``tea:``):
``job:<id>``        hash: state, body, attempt, bugs, troubles, token, worker, times, error, cancel
``lease:<id>``      the token of the worker that is at it; expires when the worker dies
``wanted:<id>``     set of ``repository\\nbranch`` to plan again when the job has ended
``key:<repo>\\n<key>``  id of the job that computes the key
``failed:<repo>\\n<key>``  why the key's last attempt failed for good
``pending:<repository>\\n<branch>``  set of jobs that have not ended
``missing:<repo>\\n<key>``  at which commit and ``git-annex`` tip content of its inputs was nowhere
"""

from __future__ import annotations

import contextlib
import functools
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import redis

from tea_runner.broker.connection import answered
from tea_runner.broker.job_scripts import CANCEL, CANCELLED, CLAIM, END, EXTEND, RELEASE, WANT
from tea_runner.core.errors import NotFound, Refused
from tea_runner.core.planning.job import Job, seal_job, unseal_job
from tea_runner.core.planning.run_status import JobFacts, job_facts
from tea_runner.ports import MissingContent

_DAY = 86_400
_KEEP = 14 * _DAY


@dataclass(frozen=True, kw_only=True)
class Claim:
    """The right to work on a job, until the lease runs out."""

    job: Job
    token: str
    attempt: int
    #: Somebody may have done it already: it was tried before, or Redis is an old copy.
    doubtful: bool = False


class JobStore:
    """The state of all jobs."""

    def __init__(
        self,
        connection: redis.Redis,
        enqueue: Callable[[str, str], None],
        *,
        secret: bytes,
        lease: int = 45,
        crashes: int = 3,
        redact: Callable[[str], str] = str,
    ) -> None:
        """All jobs.

        :param redact: takes secrets out of every sentence that is kept.
        """
        self._redact = redact
        self._redis = connection
        self._enqueue = enqueue
        self._secret = secret
        self._lease = lease
        self._crashes = crashes
        register = connection.register_script
        self._want, self._claim_script = register(WANT), register(CLAIM)
        self._extend, self._end, self._release = (
            register(EXTEND),
            register(END),
            register(RELEASE),
        )
        self._cancel = register(CANCEL)

    # -- the planner's side ------------------------------------------------------------------

    def in_flight(self, repository: str, keys: Sequence[str]) -> dict[str, str]:
        """Which of these keys some job is computing or will compute, with the job's id."""
        ids = self._many(f"tea:key:{repository}\n", keys)
        pipe = self._redis.pipeline(transaction=False)
        for job_id in dict.fromkeys(ids.values()):
            pipe.hget(f"tea:job:{job_id}", "state")
        states = dict(zip(dict.fromkeys(ids.values()), pipe.execute(), strict=True))
        live = (b"waiting", b"running")
        return {key: job_id for key, job_id in ids.items() if states[job_id] in live}

    def failures(self, repository: str, keys: Sequence[str]) -> dict[str, str]:
        """Which of these keys failed for good, with the sentence that says how."""
        return self._many(f"tea:failed:{repository}\n", keys)

    def _many(self, prefix: str, keys: Sequence[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for start in range(0, len(keys), 1000):
            chunk = keys[start : start + 1000]
            values: Any = answered(
                functools.partial(self._redis.mget, [prefix + key for key in chunk])
            )
            found.update(
                (key, value.decode("utf-8", "replace"))
                for key, value in zip(chunk, values, strict=True)
                if value is not None
            )
        return found

    def enqueue(self, job: Job) -> bool:
        """Ask for a job; returns whether it had to be enqueued."""
        wanter = f"{job.repository}\n{job.branch}"
        names = [f"tea:key:{job.queue_namespace}\n{key}" for _, key in job.datums]
        new = answered(
            lambda: self._want(
                keys=[f"tea:job:{job.id}", f"tea:wanted:{job.id}", f"tea:pending:{wanter}"],
                args=[job.id, seal_job(job, self._secret), wanter, _now(), _KEEP, *names],
            )
        )
        if new:
            self._enqueue("work", job.id)
        return bool(new)

    def subscribe(self, repository: str, branch: str, job_id: str) -> None:
        """Have the branch planned again when a job that is under way has ended."""
        wanter = f"{repository}\n{branch}"
        self._redis.sadd(f"tea:wanted:{job_id}", wanter)
        self._redis.sadd(f"tea:pending:{wanter}", job_id)

    def forget_failures(self, repository: str, keys: Iterable[str]) -> int:
        """Let keys that failed be tried again; returns how many."""
        names = [f"tea:failed:{repository}\n{key}" for key in keys]
        return int(self._redis.delete(*names)) if names else 0

    # -- the worker's side -------------------------------------------------------------------

    def claim(self, job_id: str, worker: str, token: str) -> Claim | None:
        """The right to work on a job, or None when it is not to be had.

        :raises Refused: when what stands in Redis was not written by the planner.
        """
        answer: Any = answered(
            lambda: self._claim_script(
                keys=[f"tea:job:{job_id}", f"tea:lease:{job_id}"],
                args=[token, worker, _now(), self._lease, self._crashes],
            )
        )
        attempt, age, body = answer
        if attempt == 0:
            return None
        if attempt == -2:
            # Its worker died before it saw that it should stop.
            with contextlib.suppress(NotFound):
                self.cancel(job_id)
            return None
        job = unseal_job(body.decode("utf-8", "replace"), self._secret)
        if attempt < 0:
            sentence = (
                f"its worker died {self._crashes} times in a row; "
                f"it is parked until somebody retries it"
            )
            self.fail(job, dict.fromkeys((key for _, key in job.datums), sentence))
            self.finish(Claim(job=job, token="", attempt=attempt), "failed", sentence)
            return None
        doubtful = attempt > 1 or age > self._lease
        return Claim(job=job, token=token, attempt=attempt, doubtful=doubtful)

    def extend(self, claim: Claim) -> bool:
        """Keep the claim; False when it is lost."""
        return bool(
            self._extend(keys=[f"tea:lease:{claim.job.id}"], args=[claim.token, self._lease])
        )

    def holds(self, claim: Claim) -> bool:
        """Whether the claim is still good; also when Redis does not say: git decides then."""
        try:
            held = self._redis.get(f"tea:lease:{claim.job.id}")
        except redis.RedisError:
            return True
        return held == claim.token.encode()

    def release(self, claim: Claim) -> None:
        """Give the claim back so that another worker may take the job at once.

        A job that somebody cancelled ends instead.
        """
        if self.is_cancelled(claim):
            self._cancel_claimed(claim.job, claim.token)
            return
        keys = [f"tea:job:{claim.job.id}", f"tea:lease:{claim.job.id}"]
        if self._release(keys=keys, args=[claim.token, -1, 0, ""]):
            self._enqueue("work", claim.job.id)

    def retry_later(self, claim: Claim, sentence: str, *, wait: int = 0) -> None:
        """Give the claim back after a failure of the world: the attempt counts.

        :param wait: seconds before anybody may claim it; the reconciler queues it then.
        """
        if self.is_cancelled(claim):
            self._cancel_claimed(claim.job, claim.token)
            return
        keys = [f"tea:job:{claim.job.id}", f"tea:lease:{claim.job.id}"]
        if (
            self._release(keys=keys, args=[claim.token, 0, wait, self._redact(sentence)])
            and not wait
        ):
            self._enqueue("work", claim.job.id)

    def set_fields(self, job_id: str, **facts: str) -> None:
        """Remember facts for the pages."""
        if facts:
            self._redis.hset(f"tea:job:{job_id}", mapping=dict(facts))  # type: ignore[arg-type]

    def count(self, job_id: str, what: Literal["bugs", "troubles"]) -> int:
        """An attempt of a job ended by a bug of ours, or in vain; how many did since it was wanted."""
        number: Any = self._redis.hincrby(f"tea:job:{job_id}", what, 1)
        return int(number)

    def fail(self, job: Job, sentences: Mapping[str, str]) -> None:
        """Remember why keys failed for good."""
        pipe = self._redis.pipeline(transaction=False)
        for key, sentence in sentences.items():
            pipe.set(
                f"tea:failed:{job.queue_namespace}\n{key}", self._redact(sentence), ex=30 * _DAY
            )
        pipe.execute()

    def finish(self, claim: Claim, state: str, error: str = "") -> None:
        """The job has ended; branches that waited for it alone are planned again."""
        job = claim.job
        names = [f"tea:key:{job.queue_namespace}\n{key}" for _, key in job.datums]
        ready: Any = self._end(
            keys=[f"tea:job:{job.id}", f"tea:lease:{job.id}", f"tea:wanted:{job.id}"],
            args=[job.id, claim.token, state, _now(), self._redact(error)],
        )
        self._redis.delete(*names)
        self._plan_subscribers(ready)

    def _plan_subscribers(self, wanters: Iterable[bytes]) -> None:
        for wanter in wanters:
            self._enqueue(
                "plan", json.dumps(wanter.decode("utf-8", "surrogateescape").split("\n", 1))
            )

    # -- stopping ----------------------------------------------------------------------------

    def cancel(self, job_id: str) -> str:
        """Have a job stop, for every branch that waits for it.

        :returns: ``cancelled`` when it had not begun, ``stopping`` when its worker will see it
            soon, ``ended`` when there was nothing to stop any more.
        :raises NotFound: when there is no such job.
        """
        facts = self.facts([job_id]).get(job_id)
        if facts is None or facts.job is None:
            raise NotFound(f"there is no job {job_id}; tea-runner show RUN lists those of a run")
        return self._cancel_claimed(facts.job, "")

    def is_cancelled(self, claim: Claim) -> bool:
        """Whether somebody wants this job to stop; False also when Redis does not say."""
        try:
            return bool(self._redis.hexists(f"tea:job:{claim.job.id}", "cancel"))
        except redis.RedisError:
            return False

    def _cancel_claimed(self, job: Job, token: str) -> str:
        sentence = CANCELLED.format(job=job.id)
        keys = [f"tea:job:{job.id}", f"tea:lease:{job.id}", f"tea:wanted:{job.id}"]
        args: list[str | int] = [job.id, token, _now(), sentence, 30 * _DAY, job.queue_namespace]
        names = [key for _, key in job.datums]
        word, *ready = answered(lambda: self._cancel(keys=keys, args=[*args, *names]))
        self._plan_subscribers(ready)
        return str(word.decode())

    # -- content that is not there yet -------------------------------------------------------

    def record_missing(self, job: Job, annex_tip: str, sentence: str) -> None:
        """Remember that inputs of a job have no content anywhere, as of this ``git-annex`` tip.

        For ten minutes, in case content comes without a word in git.
        """
        pipe = self._redis.pipeline(transaction=False)
        for _, key in job.datums:
            value = json.dumps([[job.commit, annex_tip], self._redact(sentence)])
            pipe.set(f"tea:missing:{job.queue_namespace}\n{key}", value, ex=600)
        pipe.execute()

    def missing(self, repository: str, keys: Sequence[str]) -> dict[str, MissingContent]:
        """Those of the keys whose inputs had no content."""
        found = {}
        for key, text in self._many(f"tea:missing:{repository}\n", keys).items():
            (commit, annex_tip), sentence = json.loads(text)
            found[key] = MissingContent(commit, annex_tip, sentence)
        return found

    # -- looking -----------------------------------------------------------------------------

    def get(self, job_id: str) -> dict[str, str]:
        """All that is known of a job; empty when nothing is."""
        raw: Any = self._redis.hgetall(f"tea:job:{job_id}")
        return {k.decode(): v.decode("utf-8", "replace") for k, v in raw.items()}

    def facts(self, ids: Sequence[str]) -> dict[str, JobFacts]:
        """What is known of these jobs, by id; those of which nothing is known are left out."""
        found = {}
        for start in range(0, len(ids), 500):
            chunk = ids[start : start + 500]
            pipe = self._redis.pipeline(transaction=False)
            for job_id in chunk:
                pipe.hgetall(f"tea:job:{job_id}")
            for job_id, raw in zip(chunk, answered(pipe.execute), strict=True):
                known = {
                    k.decode("utf-8", "replace"): v.decode("utf-8", "replace")
                    for k, v in raw.items()
                }
                if known:
                    found[job_id] = job_facts(job_id, known, self._body(known))
        return found

    def _body(self, known: Mapping[str, str]) -> Job | None:
        try:
            return unseal_job(known.get("body", ""), self._secret)
        except Refused:
            return None

    def ids_starting_with(self, beginning: str) -> list[str]:
        """Ids of the jobs whose id begins so; *beginning* is of hex digits."""
        found = answered(lambda: list(self._redis.scan_iter(f"tea:job:{beginning}*", count=1000)))
        return sorted(name.decode("utf-8", "replace").rsplit(":", 1)[1] for name in found)

    def live(self) -> dict[str, JobFacts]:
        """All jobs that wait or run."""
        names = answered(lambda: list(self._redis.scan_iter("tea:job:*", count=1000)))
        facts = self.facts([name.decode("utf-8", "replace").rsplit(":", 1)[1] for name in names])
        return {job: each for job, each in facts.items() if each.state in ("waiting", "running")}

    def waiting(self) -> list[str]:
        """Jobs that wait for a worker."""
        return [job for job, facts in self.live().items() if facts.state == "waiting"]

    def problem(self) -> str:
        """What is wrong with Redis, or nothing."""
        try:
            self._redis.ping()
        except redis.RedisError as error:
            return str(error)
        return ""


def _now() -> str:
    return f"{time.time():.3f}"
