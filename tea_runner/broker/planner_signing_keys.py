"""The keys with which the planners of one server sign results, so that none works against another."""

from __future__ import annotations

import redis

from tea_runner.broker import redis_keys
from tea_runner.broker.connection import raises_queue_error


@raises_queue_error
class ResultsSigners:
    """Fingerprints of the keys of all planners that ran lately.

    A planner that does not trust the signatures of another one would compute its results again.
    """

    def __init__(self, connection: redis.Redis) -> None:
        self._redis = connection

    def register(self, fingerprint: str) -> frozenset[str]:
        """Note a planner's key; returns the keys of all planners.

        :raises QueueError: when Redis does not answer.
        """
        name = redis_keys.planner_keys()
        with self._redis.pipeline() as pipeline:
            pipeline.sadd(name, fingerprint)
            pipeline.expire(name, redis_keys.planner_keys.ttl)
            pipeline.smembers(name)
            members = pipeline.execute()[2]
        return frozenset(member.decode("ascii", "replace") for member in members)

    def forget(self, fingerprint: str) -> None:
        """Forget the key of a planner that does not exist any more.

        :raises QueueError: when Redis does not answer.
        """
        self._redis.srem(redis_keys.planner_keys(), fingerprint)
