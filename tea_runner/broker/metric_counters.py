"""Counters and histograms of all processes, in one hash in Redis; no method raises an error of Redis.

A number that is lost there begins again at 0, as Prometheus expects of a process that starts anew.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping
from typing import Any

import redis

from tea_runner.broker import redis_keys
from tea_runner.core.counters_and_histograms import (
    MOST_LABELS,
    OTHER,
    TIMED,
    Histogram,
    MetricValues,
    Timed,
    bucket,
    label,
)

_RECONCILED = "reconciled"
#: Fields of the hash, beyond which new labels are counted as others.
_MOST_FIELDS = 20 * MOST_LABELS


class MetricCounters:
    """What processes count together."""

    def __init__(self, connection: redis.Redis) -> None:
        self._redis = connection

    def observe(self, **seconds: float) -> None:
        """Add observations, by what is timed."""
        pipe = self._redis.pipeline(transaction=False)
        for name, value in seconds.items():
            if value >= 0:
                pipe.hincrby(redis_keys.metrics(), f"bucket {name} {bucket(value)}", 1)
                pipe.hincrbyfloat(redis_keys.metrics(), f"sum {name}", round(value, 3))
        with contextlib.suppress(redis.RedisError):
            pipe.execute()

    def count(self, name: str, *labels: str, number: int = 1, pipeline: str | None = None) -> None:
        """Add to a counter.

        :param labels: words of a closed list.
        :param pipeline: one more label; of too many pipelines the later ones are :data:`OTHER`.
        """
        with contextlib.suppress(redis.RedisError):
            parts = [name, *labels]
            if pipeline is not None:
                field = _field([*parts, label(pipeline)])
                fields: Any = self._redis.hlen(redis_keys.metrics())
                many = int(fields) >= _MOST_FIELDS
                known = not many or self._redis.hexists(redis_keys.metrics(), field)
                parts.append(label(pipeline) if known else OTHER)
            self._redis.hincrby(redis_keys.metrics(), _field(parts), number)

    def note_reconciled(self) -> None:
        """Note that all repositories were compared just now."""
        with contextlib.suppress(redis.RedisError):
            self._redis.hset(redis_keys.metrics(), _RECONCILED, f"{time.time():.0f}")

    def read(self) -> MetricValues:
        """All numbers; none where Redis does not answer."""
        try:
            raw: Any = self._redis.hgetall(redis_keys.metrics())
        except redis.RedisError:
            return MetricValues()
        texts = {_text(name): _text(value) for name, value in raw.items()}
        return MetricValues(
            histograms={name: _histogram(name, texts) for name in TIMED},
            counters={
                labels: number
                for name, value in texts.items()
                if (labels := _labels(name)) and (number := int(_number(value))) > 0
            },
            reconciled=_number(texts.get(_RECONCILED, "")),
        )


def _histogram(name: Timed, texts: Mapping[str, str]) -> Histogram:
    prefix = f"bucket {name} "
    counts = {
        int(field.removeprefix(prefix)): int(_number(value))
        for field, value in texts.items()
        if field.startswith(prefix) and field.removeprefix(prefix).isdigit()
    }
    return Histogram(counts=counts, total=_number(texts.get(f"sum {name}", "")))


def _field(parts: list[str]) -> str:
    return json.dumps(parts)


def _labels(name: str) -> tuple[str, ...]:
    """Name and labels of a counter; none for other fields, or those of somebody else."""
    if not name.startswith("["):
        return ()
    try:
        parts = json.loads(name)
    except (ValueError, RecursionError):
        return ()
    is_texts = isinstance(parts, list) and all(isinstance(part, str) for part in parts)
    return tuple(map(label, parts)) if is_texts else ()


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if 0 <= value < 1e15 else 0.0


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
