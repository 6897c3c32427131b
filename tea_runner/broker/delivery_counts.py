"""Counts of webhook deliveries by outcome, in Redis for all processes of the receiver."""

from __future__ import annotations

import atexit
import contextlib
import threading
from collections import Counter
from typing import Any

import redis

from tea_runner.broker import redis_keys


class DeliveryCounts:
    """Counts deliveries; no method raises an error of Redis.

    A delivery does not wait for its count: a timer sends counts together, and so does the end of the
    process.  A process that is killed loses those of the last moment.

    :param delay: seconds after which a count is sent.
    """

    def __init__(self, connection: redis.Redis, *, delay: float = 0.02) -> None:
        self._redis = connection
        self._delay = delay
        self._lock = threading.Lock()
        self._new: Counter[str] = Counter()
        self._timer: threading.Timer | None = None
        atexit.register(self.send)

    def count(self, outcome: str) -> None:
        """Count a delivery with this outcome."""
        with self._lock:
            self._new[outcome] += 1
            if self._timer is None:
                self._timer = threading.Timer(self._delay, self.send)
                self._timer.daemon = True
                self._timer.start()

    def send(self) -> None:
        """Send the counts since the last call."""
        with self._lock:
            self._timer = None
            new, self._new = self._new, Counter()
        if not new:
            return
        pipe = self._redis.pipeline(transaction=True)
        for outcome, number in new.items():
            pipe.hincrby(redis_keys.delivery_counts(), outcome, number)
        with contextlib.suppress(redis.RedisError):
            pipe.execute()
            return
        with self._lock:
            # They are sent with the next count.
            self._new.update(new)

    def counts(self) -> dict[str, int]:
        """Outcomes to the number of deliveries; empty when Redis does not answer."""
        self.send()
        try:
            raw: Any = self._redis.hgetall(redis_keys.delivery_counts())
        except redis.RedisError:
            return {}
        return {
            outcome.decode("utf-8", "replace"): int(number)
            for outcome, number in raw.items()
            # Anything but a number is of somebody else.
            if number.isdigit() and len(number) < 20
        }
