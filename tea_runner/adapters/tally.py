"""Deliveries by what became of them, counted in Redis for all processes of the receiver."""

from __future__ import annotations

import contextlib
from typing import Any

import redis


class Tally:
    """How many deliveries were judged how."""

    def __init__(self, connection: redis.Redis) -> None:
        self._redis = connection

    def count(self, word: str) -> None:
        """One more delivery was judged so; never raises."""
        with contextlib.suppress(redis.RedisError):
            self._redis.hincrby("tea:deliveries", word, 1)

    def counts(self) -> dict[str, int]:
        """Each verdict with its number; empty when Redis does not answer."""
        try:
            raw: Any = self._redis.hgetall("tea:deliveries")
        except redis.RedisError:
            return {}
        return {word.decode(): int(number) for word, number in raw.items()}
