"""The last events of triggers, with what became of each; git holds what counts."""

from __future__ import annotations

import heapq
import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import redis

from tea_runner.broker import redis_keys
from tea_runner.broker.connection import raises_queue_error
from tea_runner.core.planning.start_causes import START_KINDS

#: Events that are kept; and, apart from them, starts of pipelines, of which a schedule has many.
MOST_EVENTS = 2000


@dataclass(frozen=True, kw_only=True)
class ListedEvent:
    """An event, and what it led to."""

    trigger: str
    kind: str
    repository: str
    branch: str
    #: As its sender calls it.
    event: str
    #: Seconds since 1970.
    received: float
    #: committed, repeated, unchanged, refused or planned.
    outcome: str
    why: str = ""
    #: The commit with its files; empty where it made none.
    commit: str = ""
    files: tuple[str, ...] = ()
    #: Id of the run that it led to, where that is known already.
    run: str = ""


_NAMES = tuple(field.name for field in fields(ListedEvent))


@raises_queue_error
class EventList:
    """The list, for all processes.  Every method raises QueueError when Redis does not answer."""

    def __init__(self, connection: redis.Redis) -> None:
        self._redis = connection

    def add(self, events: Sequence[ListedEvent]) -> None:
        """List events, in the order in which they were dealt with, and count them."""
        if not events:
            return
        pipe = self._redis.pipeline(transaction=True)
        for event in events:
            family = redis_keys.starts if event.kind in START_KINDS else redis_keys.events
            pipe.lpush(family(), json.dumps(asdict(event)))
            pipe.ltrim(family(), 0, MOST_EVENTS - 1)
            pipe.expire(family(), family.ttl)
            pipe.hincrby(redis_keys.event_counts(), f"{event.trigger}\n{event.outcome}", 1)
        pipe.execute()

    def latest(self, number: int = MOST_EVENTS) -> list[ListedEvent]:
        """The last events, the newest first."""
        pipe = self._redis.pipeline(transaction=True)
        pipe.lrange(redis_keys.events(), 0, number - 1)
        pipe.lrange(redis_keys.starts(), 0, number - 1)
        events, starts = pipe.execute()
        # Both are in order; of the same second, events come first.
        merged = heapq.merge(_read(events), _read(starts), key=lambda each: -each.received)
        return list(itertools.islice(merged, number))

    def counts(self) -> dict[tuple[str, str], int]:
        """Triggers and outcomes to the number of events."""
        raw: Any = self._redis.hgetall(redis_keys.event_counts())
        found = {}
        for name, number in raw.items():
            trigger, _, outcome = name.decode("utf-8", "replace").partition("\n")
            if number.isdigit() and len(number) < 20:
                found[trigger, outcome] = int(number)
        return found


def _read(rows: Sequence[bytes]) -> Iterator[ListedEvent]:
    """Rows as they were written; others, which somebody else may have written, are left out."""
    for row in rows:
        try:
            given = json.loads(row)
            files = given["files"]
            # Former rows have no run.
            given.setdefault("run", "")
            texts = [given[name] for name in _NAMES if name not in ("files", "received")]
            if all(isinstance(each, str) for each in (*texts, *files)):
                received = float(given["received"])
                yield ListedEvent(**{**given, "files": tuple(files), "received": received})
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
