"""Ticks that people asked for, until a planner has recorded them in git."""

from __future__ import annotations

from typing import Any

import redis

from tea_runner.broker import redis_keys
from tea_runner.broker.connection import raises_queue_error


@raises_queue_error
class BranchAskedTicks:
    """Those of one branch.  Every method raises QueueError when Redis does not answer."""

    def __init__(self, connection: redis.Redis, repository: str, branch: str) -> None:
        self._redis = connection
        self._name = redis_keys.asked_ticks(redis_keys.branch_id(repository, branch))

    def add(self, pipeline: str, tick: str) -> None:
        """Ask for a tick of a pipeline's schedules; twice the same is one."""
        self._redis.sadd(self._name, f"{pipeline}\n{tick}")
        self._redis.expire(self._name, redis_keys.asked_ticks.ttl)

    def pending(self) -> tuple[tuple[str, str], ...]:
        """Pipelines and ticks that are not recorded yet, in order."""
        raw: Any = self._redis.smembers(self._name)
        pairs = (each.decode("utf-8", "replace").partition("\n") for each in raw)
        return tuple(sorted((pipeline, tick) for pipeline, _, tick in pairs))

    def recorded(self, pipeline: str, tick: str) -> None:
        """Forget one that is in git."""
        self._redis.srem(self._name, f"{pipeline}\n{tick}")
