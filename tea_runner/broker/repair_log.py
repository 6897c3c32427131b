"""What the reconciler has found and repaired lately, for the page of workers."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from typing import Any

import redis

from tea_runner.broker import redis_keys
from tea_runner.broker.connection import raises_queue_error
from tea_runner.core.planning.reconciler_repair import Repair

#: Repairs that are kept.
_MOST = 50
#: Characters of each that are shown, and a time that is none any more.
_LONGEST, _LATEST = 1000, 1e11


@raises_queue_error
class RepairLog:
    """Every method raises QueueError when Redis does not answer."""

    def __init__(self, connection: redis.Redis) -> None:
        self._redis = connection

    def add(self, texts: Sequence[str], time: float) -> None:
        """Note repairs."""
        name = redis_keys.repairs()
        pipe = self._redis.pipeline()
        for text in texts:
            pipe.lpush(name, json.dumps({"time": time, "text": text}))
        pipe.ltrim(name, 0, _MOST - 1)
        pipe.expire(name, redis_keys.repairs.ttl or 0)
        pipe.execute()

    def latest(self) -> list[Repair]:
        """The repairs that are kept, the newest first."""
        rows: Any = self._redis.lrange(redis_keys.repairs(), 0, _MOST - 1)
        found = []
        for raw in rows:
            with contextlib.suppress(
                ValueError, KeyError, TypeError, RecursionError, OverflowError
            ):
                row = json.loads(raw)
                when = float(row["time"])
                if 0 <= when < _LATEST:
                    found.append(Repair(time=when, text=str(row["text"])[:_LONGEST]))
        return found
