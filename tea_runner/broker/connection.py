"""The address of a Redis in, a connection that fails soon instead of hanging out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tea_runner.core.errors import QueueError


def connect(url: str, patience: float | None = 5.0) -> redis.Redis:
    """A connection that tells of a failure at once and leaves it to the caller to try again.

    :param patience: seconds for an answer; None for connections that wait for work.
    """
    return redis.Redis.from_url(
        url,
        socket_connect_timeout=min(1.0, patience or 1.0),
        socket_timeout=patience,
        retry=Retry(NoBackoff(), 0),
        decode_responses=False,
        # Without the handshake of version 3, whose broken-off answers redis-py takes for a bug of its own.
        protocol=2,
        # Branches may have names that are no UTF-8.
        encoding_errors="surrogateescape",
    )


def answered(call: Callable[[], Any]) -> Any:
    """What Redis answers.

    :raises QueueError: when it does not.
    """
    try:
        return call()
    except redis.RedisError as error:
        raise unanswered(error) from error


def unanswered(error: redis.RedisError) -> QueueError:
    """What went wrong with Redis, as a sentence that says where to look."""
    said = str(error).rstrip(".")
    return QueueError(
        f"Redis does not answer as it should: {said}; see that it runs, and redis.url"
    )
