"""The key with which planners sign jobs, as a fingerprint that other processes compare with their own."""

from __future__ import annotations

import contextlib
import hmac
from typing import Literal

import redis

from tea_runner.broker import redis_keys
from tea_runner.broker.connection import raises_queue_error
from tea_runner.core.errors import QueueError, Refused

#: What is wrong on a host with another key.
OTHER_KEY = (
    "the queue's key of this host (redis.key_file, by default queue.key in the state folder) is another key "
    "than that of the planner, so jobs cannot be verified; copy the file from the planner's host"
)


@raises_queue_error
class QueueKeyFingerprint:
    """The key of this process, and the fingerprint of the planners' key in Redis.

    :param secret: the key.  Its fingerprint is an HMAC, from which it cannot be computed.
    """

    def __init__(self, connection: redis.Redis, secret: bytes) -> None:
        self._redis = connection
        self._own = hmac.new(secret, b"tea-runner queue key", "sha256").hexdigest()[:32].encode()

    def state(self) -> Literal["same", "other", "unknown"]:
        """Whether this process has the planners' key; unknown when no planner has registered it.

        :raises QueueError: when Redis does not answer.
        """
        registered = self._redis.get(redis_keys.queue_key())
        if registered is None:
            return "unknown"
        return "same" if registered == self._own else "other"

    def problem(self) -> str:
        """Why this process must take no job; empty also when Redis does not answer.  Costs one GET."""
        with contextlib.suppress(QueueError):
            return OTHER_KEY if self.state() == "other" else ""
        return ""

    def keep(self) -> str:
        """Register a planner's key again if Redis lost it; returns the :meth:`problem`."""
        with contextlib.suppress(redis.RedisError):
            self._redis.set(redis_keys.queue_key(), self._own, nx=True)
        return self.problem()

    def register(self, *, replace: bool) -> None:
        """Register a planner's key.

        :param replace: whether another key may be replaced, because no planner uses it any more.
        :raises Refused: when another planner uses another key.
        :raises QueueError: when Redis does not answer.
        """
        self._redis.set(redis_keys.queue_key(), self._own, nx=not replace)
        if self.state() == "other":
            raise Refused(
                OTHER_KEY, hint="or, if that planner is no more, start this one in a minute"
            )
