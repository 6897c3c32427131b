"""RQ's notes in Redis in, the workers and the lengths of the queues out; nothing is written.

RQ's own ``Worker.all`` forgets workers as it looks at them, so its keys are read here as they are.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import redis

from tea_runner.broker.connection import unanswered
from tea_runner.broker.rq_queues import QUEUES
from tea_runner.core.planning.run_status import JobFacts


@dataclass(frozen=True, kw_only=True)
class WorkerFacts:
    """One process that takes work from a queue; times are seconds since 1970, 0 when not known."""

    name: str
    #: ``idle``, ``busy``, ``stopping``, ``suspended``, or ``silent`` when it has not been heard of.
    state: str
    #: The kind of work it does: ``plan`` or ``work``.
    kind: str = ""
    host: str = ""
    pid: str = ""
    since: float = 0.0
    heard: float = 0.0
    #: Id of the job that it is at, where it is at one.
    job: str = ""


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """All workers, and what waits for them."""

    workers: tuple[WorkerFacts, ...]
    #: Kind of work to the number of pieces that wait.
    queues: Mapping[str, int]
    #: When the job that waits longest was asked for; 0 when none waits.
    oldest: float = 0.0


def read_fleet(connection: redis.Redis, jobs: Collection[JobFacts]) -> Fleet:
    """Who is there, and what they are at.

    :param jobs: all jobs that wait or run.
    :raises QueueError: when Redis does not answer.
    """
    at = {facts.worker: facts for facts in jobs if facts.state == "running" and facts.worker}
    waiting = [facts.created for facts in jobs if facts.state == "waiting" and facts.created]
    try:
        names = sorted(_text(raw) for raw in connection.smembers("rq:workers"))
        pipe = connection.pipeline(transaction=False)
        for name in names:
            pipe.hgetall(name)
        for queue in QUEUES.values():
            pipe.llen(f"rq:queue:{queue}")
        answers: list[Any] = pipe.execute()
    except redis.RedisError as error:
        raise unanswered(error) from error
    workers = [
        _worker(name.removeprefix("rq:worker:"), notes, at)
        for name, notes in zip(names, answers, strict=False)
    ]
    seen = {worker.name for worker in workers}
    workers += [_worker(name, {}, at) for name in sorted(at.keys() - seen)]
    lengths = dict(zip(QUEUES, (int(each) for each in answers[len(names) :]), strict=True))
    return Fleet(workers=tuple(workers), queues=lengths, oldest=min(waiting, default=0.0))


def _worker(name: str, notes: Mapping[bytes, bytes], at: Mapping[str, JobFacts]) -> WorkerFacts:
    said = {_text(key): _text(value) for key, value in notes.items()}
    kinds = {queue: kind for kind, queue in QUEUES.items()}
    facts = at.get(name)
    state = said.get("state", "silent")
    if facts is not None:
        # While it is at a job, nobody writes RQ's notes; the job's lease says that it lives.
        state = "busy"
    elif said.get("shutdown_requested_date"):
        state = "stopping"
    return WorkerFacts(
        name=name,
        state=state,
        kind=kinds.get(said.get("queues", ""), "work" if facts else ""),
        host=said.get("hostname", ""),
        pid=said.get("pid", ""),
        since=_time(said.get("birth", "")),
        heard=_time(said.get("last_heartbeat", "")),
        job=facts.id if facts else "",
    )


def _text(raw: Any) -> str:
    return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)


def _time(text: str) -> float:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0
