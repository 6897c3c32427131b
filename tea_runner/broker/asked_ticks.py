"""Ticks that people asked for, until a planner has recorded them in git."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import redis

from tea_runner.broker import redis_keys
from tea_runner.broker.connection import raises_queue_error
from tea_runner.core.errors import Refused
from tea_runner.core.planning.asked_tick import AskedTick, seal_tick, unseal_tick


@raises_queue_error
class BranchAskedTicks:
    """Those of one branch.  Every method raises QueueError when Redis does not answer.

    :param secret: key of the seal: whoever may write to Redis alone sets no variable.
    :param key_problem: why planners do not accept that key; empty when they do.
    """

    def __init__(
        self,
        connection: redis.Redis,
        repository: str,
        branch: str,
        *,
        secret: bytes,
        key_problem: Callable[[], str] = lambda: "",
    ) -> None:
        self._redis = connection
        self._place = (repository, branch)
        self._name = redis_keys.asked_ticks(redis_keys.branch_id(repository, branch))
        self._secret = secret
        self._key_problem = key_problem

    def add(self, asked: AskedTick) -> None:
        """Ask for a tick of a pipeline; twice the same is one.

        :raises Refused: when the planners do not accept what this process seals.
        """
        problem = self._key_problem()
        if problem:
            raise Refused(problem)
        self._redis.sadd(self._name, seal_tick(asked, self._secret))
        self._redis.expire(self._name, redis_keys.asked_ticks.ttl)

    def pending(self) -> tuple[AskedTick, ...]:
        """What is not recorded yet, in order; what nobody with the key asked for is left out."""
        raw: Any = self._redis.smembers(self._name)
        found = (unseal_tick(each, self._secret) for each in raw)
        mine = [
            each
            for each in found
            if each is not None and (each.repository, each.branch) == self._place
        ]
        return tuple(sorted(mine, key=lambda each: (each.tick, each.pipeline, each.variables)))

    def recorded(self, asked: AskedTick) -> None:
        """Forget one that is in git."""
        self._redis.srem(self._name, seal_tick(asked, self._secret))
