"""Deliveries by what became of them, counted in Redis for all processes of the receiver."""

from __future__ import annotations

import atexit
import contextlib
import threading
from collections import Counter
from typing import Any

import redis

from tea_runner.broker import keys


class DeliveryCounts:
    """How many deliveries were judged how.

    A delivery does not wait for its count: what was counted here goes to Redis together, a moment later
    and at the end.  A process that is killed takes the counts of that moment with it.
    """

    def __init__(self, connection: redis.Redis, *, delay: float = 0.02) -> None:
        """A tally.

        :param delay: seconds after which a count is sent.
        """
        self._redis = connection
        self._delay = delay
        self._lock = threading.Lock()
        self._new: Counter[str] = Counter()
        self._timer: threading.Timer | None = None
        atexit.register(self.send)

    def count(self, word: str) -> None:
        """One more delivery was judged so; never raises."""
        with self._lock:
            self._new[word] += 1
            if self._timer is None:
                self._timer = threading.Timer(self._delay, self.send)
                self._timer.daemon = True
                self._timer.start()

    def send(self) -> None:
        """Send what was counted here since last time; never raises."""
        with self._lock:
            self._timer = None
            new, self._new = self._new, Counter()
        if not new:
            return
        pipe = self._redis.pipeline(transaction=True)
        for word, number in new.items():
            pipe.hincrby(keys.delivery_counts(), word, number)
        with contextlib.suppress(redis.RedisError):
            pipe.execute()
            return
        with self._lock:
            # It goes with the next count, when Redis may be there again.
            self._new.update(new)

    def counts(self) -> dict[str, int]:
        """Each verdict with its number; empty when Redis does not answer."""
        self.send()
        try:
            raw: Any = self._redis.hgetall(keys.delivery_counts())
        except redis.RedisError:
            return {}
        return {word.decode(): int(number) for word, number in raw.items()}
