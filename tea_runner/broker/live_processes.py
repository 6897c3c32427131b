"""Processes of this server that run now: planners, workers, reconcilers and listeners, with what they offer.

Each of them writes a row every few seconds, also while a job runs, when RQ notes nothing of it.  Workers
of former versions write none: RQ's own notes tell of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

import redis

from tea_runner.broker import redis_keys
from tea_runner.broker.connection import raises_queue_error
from tea_runner.broker.rq_queues import JOB_QUEUES, PLAN_QUEUE
from tea_runner.core.planning.worker_requirement import (
    NEEDS,
    Need,
    Offered,
    offered_by,
    offered_needs,
)
from tea_runner.core.resource_demand import OfferedResources, read_offered

#: Seconds between two rows of a process, and seconds after which it counts as gone.
BEAT_EVERY, GONE_AFTER = 5.0, 20
#: Seconds after which its row is removed.
_REMOVED_AFTER = 3600
#: Bytes: a larger number is nonsense.
_LARGEST = 1 << 60

ProcessKind = Literal["plan", "job", "reconcile", "triggers", "autoscale"]


@dataclass(frozen=True, kw_only=True)
class ProcessFacts:
    """One process that runs."""

    name: str
    kind: ProcessKind
    host: str = ""
    pid: str = ""
    #: When it was last heard of, in seconds since 1970 by the clock of Redis.
    heard: float = 0.0
    #: Of a worker: the needs of jobs that it takes.
    offers: tuple[Need, ...] = ()
    #: What it shares with the other workers of its host; None of a former version.
    resources: OfferedResources | None = None
    #: What keeps it from its work, as a sentence; empty for nothing.
    problem: str = ""
    #: Bytes of the file system on which it works, free and in all; 0 where unknown.
    disk_free: int = 0
    disk_total: int = 0
    #: Files that it has read its settings from, to a digest of the content then.
    files: Mapping[str, str] = field(default_factory=dict)


@raises_queue_error
class LiveProcesses:
    """The processes that run.  Every method raises QueueError when Redis does not answer."""

    def __init__(self, connection: redis.Redis) -> None:
        self._redis = connection

    def beat(self, facts: ProcessFacts) -> None:
        """Write that a process runs; costs two commands."""
        row = {**asdict(facts), "heard": self._now()}
        self._redis.hset(redis_keys.processes(), facts.name, json.dumps(row))

    def leave(self, name: str) -> None:
        """Remove a process that ends."""
        self._redis.hdel(redis_keys.processes(), name)

    def drain(self, hosts: Iterable[str]) -> None:
        """Have the workers of these hosts, and of no others, take no more jobs."""
        names = sorted(hosts)
        pipe = self._redis.pipeline(transaction=True)
        pipe.delete(redis_keys.draining_hosts())
        if names:
            pipe.sadd(redis_keys.draining_hosts(), *names)
            pipe.expire(redis_keys.draining_hosts(), redis_keys.draining_hosts.ttl)
        pipe.execute()

    def is_draining(self, host: str) -> bool:
        """Whether the workers of a host take no more jobs, because it will be stopped."""
        return bool(self._redis.sismember(redis_keys.draining_hosts(), host))

    def sweep(self) -> None:
        """Remove rows of processes that ended long ago without a word."""
        rows, now = self._rows(), self._now()
        old = [name for name, row in rows.items() if row is None or _age(row, now) > _REMOVED_AFTER]
        if old:
            self._redis.hdel(redis_keys.processes(), *old)

    def all(self) -> list[ProcessFacts]:
        """The processes that run, sorted by name."""
        rows, now = self._rows(), self._now()
        live = [row for row in rows.values() if row is not None and _age(row, now) <= GONE_AFTER]
        return sorted(live, key=lambda row: row.name)

    def _rows(self) -> dict[bytes, ProcessFacts | None]:
        raw: Any = self._redis.hgetall(redis_keys.processes())
        return {name: _parse(text) for name, text in raw.items()}

    def problems(self) -> dict[str, str]:
        """What keeps this server from its work: the thing to a sentence with the next step."""
        processes = self.all()
        known = [each.name for each in processes]
        found = {}
        if not any(each.kind == "plan" for each in processes) and not self._has_former_worker(
            PLAN_QUEUE, known
        ):
            found["planner"] = "no planner runs, so pushes wait; start one with: tea-runner planner"
        if not self.offers():
            found["workers"] = "no worker runs, so jobs wait; start one with: tea-runner worker"
        for each in processes:
            if each.problem:
                found["forge" if each.kind == "reconcile" else each.name] = each.problem
        return found

    def offers(self) -> frozenset[Offered]:
        """What the workers that run offer; costs a few commands and one for each worker of RQ's."""
        processes = self.all()
        found: set[Offered] = set()
        for each in processes:
            if each.kind == "job":
                found |= offered_by(each.offers, each.resources)
        needs = offered_needs(found)
        names = {each.name for each in processes}
        for need, queue in JOB_QUEUES.items():
            if need not in needs and self._has_former_worker(queue, names):
                found.add(need)
        return frozenset(found)

    def _has_former_worker(self, queue: str, known: Iterable[str]) -> bool:
        """Whether a worker that writes no row listens to a queue."""
        raw: Any = self._redis.smembers(redis_keys.rq_workers(queue))
        rows: Any = self._redis.hkeys(redis_keys.processes())
        ours = {redis_keys.rq_worker(name) for name in known}
        ours |= {redis_keys.rq_worker(name.decode("utf-8", "replace")) for name in rows}
        names = [name for name in raw if name.decode("utf-8", "replace") not in ours]
        return any(self._redis.exists(name) for name in names)

    def _now(self) -> float:
        now: Any = self._redis.time()
        return float(now[0])


def _age(row: ProcessFacts, now: float) -> float:
    return abs(now - row.heard)


def _parse(text: bytes) -> ProcessFacts | None:
    """The row in JSON text; None for anything else."""
    try:
        row = json.loads(text)
        kind = next(each for each in get_args(ProcessKind) if each == row["kind"])
        words = {each: str(row[each]) for each in ("name", "host", "pid", "problem")}
        offers = tuple(need for need in NEEDS if need in row["offers"])
        files = {str(path): str(each) for path, each in row.get("files", {}).items()}
        free, total = (
            min(max(0, int(row.get(each, 0))), _LARGEST) for each in ("disk_free", "disk_total")
        )
        return ProcessFacts(
            kind=kind,
            heard=float(row["heard"]),
            offers=offers,
            resources=read_offered(row.get("resources")),
            files=files,
            disk_free=free,
            disk_total=total,
            **words,
        )
    except (
        ValueError,
        KeyError,
        TypeError,
        StopIteration,
        AttributeError,
        RecursionError,
        OverflowError,
    ):
        return None
