"""Connections to Redis that fail soon instead of hanging, and the translation of their errors."""

from __future__ import annotations

import contextlib
import functools
import inspect
import json
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any, TypeVar

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tea_runner.core.errors import QueueError

C = TypeVar("C", bound=type)


def connect(url: str, patience: float | None = 5.0) -> redis.Redis:
    """A connection that reports a failure at once and leaves a retry to the caller.

    :param patience: seconds to wait for an answer; None for connections that block on a queue.
    """
    return redis.Redis.from_url(
        url,
        socket_connect_timeout=min(1.0, patience or 1.0),
        socket_timeout=patience,
        retry=Retry(NoBackoff(), 0),
        decode_responses=False,
        # With protocol 3, redis-py takes a broken-off answer to its handshake for a bug of its own.
        protocol=2,
        # Names of branches need not be UTF-8.
        encoding_errors="surrogateescape",
    )


def as_queue_error(error: redis.RedisError) -> QueueError:
    """The error of our own for an error of Redis, with the next step for the operator."""
    message = str(error).rstrip(".")
    return QueueError(
        f"Redis does not answer as it should: {message}; see that it runs, and redis.url"
    )


@contextlib.contextmanager
def redis_errors_translated() -> Iterator[None]:
    """Raise QueueError for an error of Redis inside the block.

    :raises QueueError: from the RedisError.
    """
    try:
        yield
    except redis.RedisError as error:
        raise as_queue_error(error) from error


def raises_queue_error(cls: C) -> C:
    """Class decorator: every public method raises QueueError instead of an error of Redis."""
    for name, method in list(vars(cls).items()):
        if not name.startswith("_") and isinstance(method, FunctionType):
            setattr(cls, name, _translating(method))
    return cls


def _translating(method: Callable[..., Any]) -> Callable[..., Any]:
    # contextlib keeps the generator function below a context manager, so both look alike here.
    generator = inspect.unwrap(method)
    if inspect.isgeneratorfunction(generator):
        manager = generator is not method

        @functools.wraps(method)
        def iterate(*args: Any, **kwargs: Any) -> Any:
            with redis_errors_translated():
                return (yield from generator(*args, **kwargs))

        return contextlib.contextmanager(iterate) if manager else iterate

    @functools.wraps(method)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return method(*args, **kwargs)
        except redis.RedisError as error:
            raise as_queue_error(error) from error
        except (json.JSONDecodeError, UnicodeError, RecursionError) as error:
            # Somebody else wrote it; the key may be deleted at any time.
            raise QueueError(
                f"Redis has a malformed value, met by {method.__qualname__}: {error}; "
                f"see who writes to it, and redis.url"
            ) from error

    return call
