"""When schedules of branches tick next; a plan after a loss of Redis notes it again."""

from __future__ import annotations

from typing import Any

import redis

from tea_runner.broker import redis_keys
from tea_runner.broker.connection import raises_queue_error

#: Branches that are listed.
_MOST = 1000


@raises_queue_error
class ScheduleTimes:
    """Every method raises QueueError when Redis does not answer."""

    def __init__(self, connection: redis.Redis) -> None:
        self._redis = connection

    def put(self, repository: str, branch: str, seconds: float | None) -> None:
        """Note the next tick of a branch, in seconds since 1970; None when it has none."""
        name = redis_keys.branch_id(repository, branch)
        if seconds is None:
            self._redis.zrem(redis_keys.next_ticks(), name)
        else:
            self._redis.zadd(redis_keys.next_ticks(), {name: seconds})

    def listed(self) -> list[tuple[tuple[str, str], float]]:
        """Repositories and branches with the times of their next ticks, the first ones first."""
        found: Any = self._redis.zrange(redis_keys.next_ticks(), 0, _MOST - 1, withscores=True)
        return [(redis_keys.split_branch_id(raw), float(seconds)) for raw, seconds in found]

    def due(self, now: float) -> list[tuple[str, str]]:
        """Repositories and branches with a tick that is due; they stay so until a plan notes the next."""
        found: Any = self._redis.zrangebyscore(redis_keys.next_ticks(), "-inf", now)
        return [redis_keys.split_branch_id(raw) for raw in found]
