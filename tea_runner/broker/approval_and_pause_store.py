"""Orders of people in Redis, with a copy in the state folder that outlives it."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import redis

from tea_runner.broker import redis_keys
from tea_runner.broker.connection import raises_queue_error
from tea_runner.core.errors import Refused
from tea_runner.core.planning.approval_or_pause import (
    Order,
    is_outdated,
    newest,
    seal_order,
    unseal_order,
)

log = logging.getLogger(__name__)

_FRESH = 1.0


@raises_queue_error
class OrderStore:
    """The latest order about each subject.  Every method raises QueueError when Redis does not answer.

    :param secret: key of the seal on orders.
    :param copy: file with a copy of all orders.
    :param key_problem: why planners do not accept that key; empty when they do.
    """

    def __init__(
        self,
        connection: redis.Redis,
        *,
        secret: bytes,
        copy: Path,
        key_problem: Callable[[], str] = lambda: "",
    ) -> None:
        self._redis = connection
        self._secret = secret
        self._copy = copy
        self._key_problem = key_problem
        self._kept: Mapping[str, Order] | None = None
        self._lately: tuple[float, list[Order]] | None = None

    def put(self, order: Order) -> None:
        """Add an order, in place of the former one about the same; outdated ones are removed.

        :raises Refused: when the planners do not accept orders of this process.
        """
        problem = self._key_problem()
        if problem:
            raise Refused(problem)
        pipe = self._redis.pipeline(transaction=True)
        old = [subject for subject, each in self._read().items() if is_outdated(each, time.time())]
        if old:
            pipe.hdel(redis_keys.orders(), *old)
        pipe.hset(redis_keys.orders(), order.subject, seal_order(order, self._secret))
        pipe.execute()
        self._lately = None

    def all(self) -> list[Order]:
        """All orders."""
        return list(self._read().values())

    def lately(self) -> list[Order]:
        """All orders, as they were at most a second ago."""
        now = time.monotonic()
        if self._lately is None or now - self._lately[0] > _FRESH:
            self._lately = (now, self.all())
        return self._lately[1]

    def restore(self) -> list[Order]:
        """All orders, after Redis has got those that it lost, and the copy those that are new.

        Due before each plan; costs one read of Redis.
        """
        if self._kept is None:
            self._kept = self._read_copy()
        in_redis = self._read()
        kept = {
            name: each for name, each in self._kept.items() if not is_outdated(each, time.time())
        }
        merged = newest(in_redis, kept)
        lost = {name: each for name, each in merged.items() if in_redis.get(name) != each}
        if lost:
            log.warning("Redis had lost %d orders of people; they are restored", len(lost))
            sealed = {name: seal_order(each, self._secret) for name, each in lost.items()}
            self._redis.hset(redis_keys.orders(), mapping=sealed)  # type: ignore[arg-type]
        if merged != self._kept:
            self._write_copy(merged)
            self._kept = merged
        return list(merged.values())

    def _read(self) -> dict[str, Order]:
        raw: Any = self._redis.hgetall(redis_keys.orders())
        found = (unseal_order(text, self._secret) for text in raw.values())
        return {order.subject: order for order in found if order is not None}

    def _read_copy(self) -> dict[str, Order]:
        try:
            texts = json.loads(self._copy.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as error:
            log.warning("%s cannot be read: %s", self._copy, error)
            return {}
        orders = (unseal_order(str(text), self._secret) for text in texts)
        return {order.subject: order for order in orders if order is not None}

    def _write_copy(self, orders: Mapping[str, Order]) -> None:
        """Replace the copy; a disk that is full costs the copy, not the plan."""
        texts = [seal_order(order, self._secret) for order in orders.values()]
        try:
            handle, name = tempfile.mkstemp(dir=self._copy.parent, prefix=".orders-")
            try:
                with open(handle, "w", encoding="utf-8") as file:
                    json.dump(texts, file)
                os.replace(name, self._copy)
            except OSError:
                with contextlib.suppress(OSError):
                    os.unlink(name)
                raise
        except OSError as error:
            log.warning("%s cannot be written: %s", self._copy, error)
