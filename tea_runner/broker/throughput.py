"""How long jobs took in, how long a datum of a pipeline may take out: an estimate that may be lost.

It decides how many datums share a job, and nothing else.
"""

from __future__ import annotations

import contextlib
from typing import Any

import redis

from tea_runner.broker.rq_queues import QUEUES
from tea_runner.core.planning.job import Throughput

_KEEP = 90 * 86_400


class ThroughputStore:
    """What Redis knows of the speed of pipelines."""

    def __init__(self, connection: redis.Redis) -> None:
        self._redis = connection

    def record(self, repository: str, pipeline: str, *, datums: int, seconds: float) -> None:
        """A job did so many datums in so many seconds; the latest job counts as much as all before."""
        name = f"tea:pace:{repository}"
        with contextlib.suppress(redis.RedisError, ValueError):
            raw: Any = self._redis.hget(name, pipeline)
            now = seconds / max(1, datums)
            mean = (float(raw) + now) / 2 if raw else now
            pipe = self._redis.pipeline(transaction=False)
            pipe.hset(name, pipeline, f"{mean:.6f}")
            pipe.expire(name, _KEEP)
            pipe.execute()

    def get(self, repository: str, pipeline: str) -> Throughput | None:
        """What is known; None for a pipeline that never ran."""
        with contextlib.suppress(redis.RedisError, ValueError):
            pipe = self._redis.pipeline(transaction=False)
            pipe.hget(f"tea:pace:{repository}", pipeline)
            pipe.scard(f"rq:workers:{QUEUES['work']}")
            raw, workers = pipe.execute()
            if raw is not None:
                return Throughput(float(raw), int(workers))
        return None
