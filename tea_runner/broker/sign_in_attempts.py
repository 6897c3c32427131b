"""Failed attempts to sign in, counted in Redis, so that nobody tries out passwords."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import redis

from tea_runner.broker import redis_keys
from tea_runner.broker.connection import raises_queue_error


@raises_queue_error
class SignInAttempts:
    """Failures in a quarter of an hour.  Every method raises QueueError when Redis does not answer."""

    def __init__(self, connection: redis.Redis) -> None:
        self._redis = connection

    def is_over(self, limits: Mapping[str, int]) -> bool:
        """Whether one of these has failed too often.

        :param limits: who tries, such as an address or a name, to the number of failures.
        """
        names = [_key_name(name) for name in limits]
        pipe = self._redis.pipeline(transaction=False)
        for name in names:
            pipe.hget(name, "failed")
        found: list[Any] = pipe.execute()
        return any(int(n or 0) >= most for n, most in zip(found, limits.values(), strict=True))

    def count(self, limits: Mapping[str, int]) -> None:
        """Count a failure of each; the first one begins the quarter of an hour."""
        for name in map(_key_name, limits):
            if self._redis.hincrby(name, "failed", 1) == 1:
                self._redis.expire(name, redis_keys.sign_in_attempts.ttl)


def _key_name(name: str) -> str:
    return redis_keys.sign_in_attempts(hashlib.sha256(name.encode("utf-8", "replace")).hexdigest())
