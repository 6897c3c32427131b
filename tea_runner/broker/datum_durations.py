"""Throughput of pipelines in Redis: the mean seconds per datum of their latest jobs.

The estimate decides how many datums share a job, and nothing else; it may be lost.
"""

from __future__ import annotations

import contextlib
from typing import Any

import redis

from tea_runner.broker import redis_keys
from tea_runner.broker.rq_queues import JOB_QUEUES
from tea_runner.core.planning.job import Throughput


class ThroughputStore:
    """Mean seconds per datum, by repository and pipeline.  No method raises an error of Redis."""

    def __init__(self, connection: redis.Redis) -> None:
        self._redis = connection

    def record(self, repository: str, pipeline: str, *, datums: int, seconds: float) -> None:
        """Add a job to the mean; the latest job weighs as much as all before."""
        name = redis_keys.throughput(repository)
        with contextlib.suppress(redis.RedisError, ValueError):
            raw: Any = self._redis.hget(name, pipeline)
            now = seconds / max(1, datums)
            mean = (float(raw) + now) / 2 if raw else now
            pipe = self._redis.pipeline(transaction=False)
            pipe.hset(name, pipeline, f"{mean:.6f}")
            pipe.expire(name, redis_keys.throughput.ttl)
            pipe.execute()

    def get(self, repository: str, pipeline: str) -> Throughput | None:
        """Mean of a pipeline, and the number of workers; None for one that never ran."""
        with contextlib.suppress(redis.RedisError, ValueError):
            pipe = self._redis.pipeline(transaction=False)
            pipe.hget(redis_keys.throughput(repository), pipeline)
            for queue in JOB_QUEUES.values():
                pipe.scard(redis_keys.rq_workers(queue))
            raw, *workers = pipe.execute()
            if raw is not None:
                return Throughput(float(raw), max(map(int, workers)))
        return None
