"""What people were told of branches last; where it is lost, a failure is told once more."""

from __future__ import annotations

from typing import Any

import redis

from tea_runner.broker import redis_keys
from tea_runner.broker.connection import raises_queue_error


@raises_queue_error
class NoticeStates:
    """Every method raises QueueError when Redis does not answer."""

    def __init__(self, connection: redis.Redis) -> None:
        self._redis = connection

    def get(self, repository: str, branch: str) -> str:
        """``failed`` or ``recovered``; empty where nothing was told."""
        name = redis_keys.noticed(redis_keys.branch_id(repository, branch))
        raw: Any = self._redis.get(name)
        return (raw or b"").decode("ascii", "replace")

    def put(self, repository: str, branch: str, state: str) -> None:
        """Note what was told."""
        name = redis_keys.noticed(redis_keys.branch_id(repository, branch))
        self._redis.set(name, state, ex=redis_keys.noticed.ttl)
