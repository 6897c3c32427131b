"""Requests to recompute known results of one branch, kept in Redis, and the ledger of their verdicts."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import redis
from redis.client import Pipeline

from tea_runner.broker import redis_keys
from tea_runner.broker.connection import raises_queue_error
from tea_runner.broker.job_store import JobStore
from tea_runner.broker.redis_lock import redis_lock
from tea_runner.core.planning.recompute_verdict import RecomputeVerdict, add_verdict

log = logging.getLogger(__name__)

#: Error of a job that was cancelled because a newer push does not need it.
_NEEDLESS = "a newer push made it needless before it began"


@raises_queue_error
class BranchRecomputeRequests:
    """See :class:`tea_runner.ports.RecomputeRequests`."""

    def __init__(
        self, connection: redis.Redis, repository: str, branch: str, jobs: JobStore
    ) -> None:
        self._redis = connection
        self._repository = repository
        self._branch = branch
        self._branch_id = redis_keys.branch_id(repository, branch)
        self._jobs = jobs

    def add(self, words: Iterable[str], request: str) -> None:
        """Request that keys, or all datums of pipelines, are computed although results are known.

        :param request: id of the request.
        """
        name = redis_keys.recompute(self._branch_id)
        pipe = self._redis.pipeline(transaction=True)
        for word in words:
            pipe.hset(name, word, request)
        pipe.expire(name, redis_keys.recompute.ttl)
        pipe.execute()

    def pending(self) -> Mapping[str, str]:
        """What to compute again: a key or a pipeline's name, to the id of the request."""
        found: Any = self._redis.hgetall(redis_keys.recompute(self._branch_id))
        return {
            word.decode("utf-8", "surrogateescape"): request.decode()
            for word, request in found.items()
        }

    def complete(self, words: Iterable[str]) -> None:
        """Remove these keys and names from the pending ones."""
        done = list(words)
        if done:
            self._redis.hdel(redis_keys.recompute(self._branch_id), *done)

    def record_verdicts(self, request: str, verdicts: Sequence[RecomputeVerdict]) -> None:
        """Count verdicts in the ledger, once for each request, and log those that are not ``ok``."""
        if not verdicts:
            return
        ledger = redis_keys.ledger(self._repository)
        marked = {
            redis_keys.recorded_verdict(self._repository, request, each.pipeline, each.key): each
            for each in verdicts
        }

        counted: list[RecomputeVerdict] = []

        def count(pipe: Pipeline) -> None:
            marks: Any = pipe.mget(list(marked))
            new = [name for name, mark in zip(marked, marks, strict=True) if mark is None]
            after = add_verdict(_ledger(pipe.get(ledger)), [marked[name] for name in new])
            pipe.multi()
            for name in new:
                pipe.set(name, "1", ex=redis_keys.recorded_verdict.ttl)
            pipe.set(ledger, json.dumps(after))
            counted[:] = [marked[name] for name in new]

        # Mark and count together: a planner that dies between the two counts none or both.
        self._redis.transaction(count, ledger, *marked)
        for verdict in counted:
            if verdict.outcome != "ok":
                log.warning("%s", verdict, extra={"repository": self._repository})

    def ledger(self) -> dict[str, Any]:
        """The ledger of the repository's pipelines; see :func:`add_verdict`."""
        return _ledger(self._redis.get(redis_keys.ledger(self._repository)))

    def cancel_jobs_except(self, jobs: Collection[str]) -> None:
        """Unsubscribe the branch from all other jobs; those without subscribers are cancelled."""
        pending: Any = self._redis.smembers(redis_keys.pending(self._branch_id))
        others = sorted({job.decode() for job in pending} - set(jobs))
        for facts in self._jobs.facts(others).values():
            if facts.job is not None:
                self._jobs.unsubscribe(facts.job, self._repository, self._branch, _NEEDLESS)

    def exclusive(self) -> AbstractContextManager[object]:
        """A lock under which no other branch enqueues jobs."""
        return redis_lock(self._redis, redis_keys.enqueue_lock(), patience=10.0)


def _ledger(raw: Any) -> dict[str, Any]:
    """A ledger as Redis has it; an empty one for anything else."""
    try:
        document = json.loads(raw or b"{}")
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
