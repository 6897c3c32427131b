"""Workers and lengths of queues, read from what RQ notes in Redis; nothing is written.

RQ's own ``Worker.all`` removes workers while it reads them, so its keys are read here directly.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import redis

from tea_runner.broker import keys
from tea_runner.broker.connection import redis_errors_translated
from tea_runner.broker.rq_queues import QUEUES
from tea_runner.core.planning.job_facts import JobFacts


@dataclass(frozen=True, kw_only=True)
class WorkerFacts:
    """One process that consumes a queue; times are seconds since 1970, 0 for unknown ones."""

    name: str
    #: ``idle``, ``busy``, ``suspended``, or ``silent`` without a heartbeat.
    state: str
    #: Kind of its queue: ``plan`` or ``job``.
    kind: str = ""
    host: str = ""
    pid: str = ""
    since: float = 0.0
    heard: float = 0.0
    #: Id of the job that it runs; empty for none.
    job: str = ""


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """All workers, and the lengths of their queues."""

    workers: tuple[WorkerFacts, ...]
    #: Kind of queue to its length.
    queues: Mapping[str, int]
    #: When the oldest waiting job was enqueued, seconds since 1970; 0 when none waits.
    oldest: float = 0.0


def read_fleet(connection: redis.Redis, jobs: Collection[JobFacts]) -> Fleet:
    """Read workers, the jobs they run, and lengths of queues.

    :param jobs: all jobs that wait or run.
    :raises QueueError: when Redis does not answer.
    """
    running = {facts.worker: facts for facts in jobs if facts.state == "running" and facts.worker}
    waiting = [facts.created for facts in jobs if facts.state == "waiting" and facts.created]
    with redis_errors_translated():
        names = sorted(_text(raw) for raw in connection.smembers(keys.rq_workers()))
        pipe = connection.pipeline(transaction=False)
        for name in names:
            pipe.hgetall(name)
        for queue in QUEUES.values():
            pipe.llen(keys.rq_queue(queue))
        answers: list[Any] = pipe.execute()
    workers = [
        _worker(name.removeprefix(keys.rq_worker("")), notes, running)
        for name, notes in zip(names, answers, strict=False)
    ]
    seen = {worker.name for worker in workers}
    workers += [_worker(name, {}, running) for name in sorted(running.keys() - seen)]
    lengths = dict(zip(QUEUES, (int(each) for each in answers[len(names) :]), strict=True))
    return Fleet(workers=tuple(workers), queues=lengths, oldest=min(waiting, default=0.0))


def _worker(
    name: str, notes: Mapping[bytes, bytes], running: Mapping[str, JobFacts]
) -> WorkerFacts:
    noted = {_text(key): _text(value) for key, value in notes.items()}
    kinds = {queue: kind for kind, queue in QUEUES.items()}
    facts = running.get(name)
    state = noted.get("state", "silent")
    if facts is not None:
        # RQ writes no heartbeat while a job runs; the job's lease shows that its worker lives.
        state = "busy"
    return WorkerFacts(
        name=name,
        state=state,
        kind=kinds.get(noted.get("queues", ""), "job" if facts else ""),
        host=noted.get("hostname", ""),
        pid=noted.get("pid", ""),
        since=_time(noted.get("birth", "")),
        heard=_time(noted.get("last_heartbeat", "")),
        job=facts.id if facts else "",
    )


def _text(raw: Any) -> str:
    return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)


def _time(text: str) -> float:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0
