"""Workers and lengths of queues, read from what RQ notes in Redis; nothing is written.

RQ's own ``Worker.all`` removes workers while it reads them, so its keys are read here directly.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import redis

from tea_runner.broker import redis_keys
from tea_runner.broker.connection import redis_errors_translated
from tea_runner.broker.live_processes import ProcessFacts
from tea_runner.broker.rq_queues import JOB_QUEUES, QUEUES, Queues
from tea_runner.core.planning.job_record import JobRecord
from tea_runner.core.planning.run_status import Lack, lacks
from tea_runner.core.planning.worker_requirement import Need, Offered, offered_by
from tea_runner.core.resource_demand import OfferedResources


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
    #: Repository and pipeline of that job, label of its first datum, and number of its datums.
    repository: str = ""
    pipeline: str = ""
    label: str = ""
    datums: int = 0
    #: When it began with it.
    begun: float = 0.0
    #: Needs of the jobs that it takes.
    offers: tuple[Need, ...] = ()
    #: What it shares with the other workers of its host; None where it does not say.
    resources: OfferedResources | None = None
    #: What keeps it from its work, as a sentence; empty for nothing.
    problem: str = ""
    #: Bytes of the disk with its scratch folder; 0 where unknown.
    disk_free: int = 0
    disk_total: int = 0


@dataclass(frozen=True, kw_only=True)
class RepositoryQueue:
    """The waiting jobs of one repository."""

    repository: str
    jobs: int
    datums: int
    #: When the oldest of them was enqueued.
    oldest: float


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """All workers, and the lengths of their queues."""

    workers: tuple[WorkerFacts, ...]
    #: Kind of queue item to the number of those that wait.
    queues: Mapping[str, int]
    #: When the oldest waiting job was enqueued, seconds since 1970; 0 when none waits.
    oldest: float = 0.0
    #: Jobs that none of the workers can do.
    lacking: tuple[Lack, ...] = ()
    #: Waiting jobs by repository, that with the most datums first.
    repositories: tuple[RepositoryQueue, ...] = ()

    @property
    def offers(self) -> frozenset[Offered]:
        """What its workers offer, except for silent ones."""
        return _offers(self.workers)


def _offers(workers: Iterable[WorkerFacts]) -> frozenset[Offered]:
    found: set[Offered] = set()
    for each in workers:
        if each.state != "silent":
            found |= offered_by(each.offers, each.resources)
    return frozenset(found)


def read_fleet(
    connection: redis.Redis, jobs: Collection[JobRecord], processes: Sequence[ProcessFacts] = ()
) -> Fleet:
    """Read workers, the jobs they run, and lengths of queues.

    :param jobs: all jobs that wait or run.
    :param processes: rows of the processes that run.
    :raises QueueError: when Redis does not answer.
    """
    running = {facts.worker: facts for facts in jobs if facts.state == "running" and facts.worker}
    waiting = [facts.created for facts in jobs if facts.state == "waiting" and facts.created]
    with redis_errors_translated():
        names = sorted(_text(raw) for raw in connection.smembers(redis_keys.rq_workers()))
        pipe = connection.pipeline(transaction=False)
        for name in names:
            pipe.hgetall(name)
        for queues in QUEUES.values():
            for queue in queues:
                pipe.llen(redis_keys.rq_queue(queue))
        answers: list[Any] = pipe.execute()
    rows = {row.name: row for row in processes if row.kind in QUEUES}
    noted = {
        name.removeprefix(redis_keys.rq_worker("")): notes
        for name, notes in zip(names, answers, strict=False)
    }
    others = sorted((running.keys() | rows.keys()) - noted.keys())
    workers = [
        _worker(name, noted.get(name, {}), running, rows.get(name)) for name in [*noted, *others]
    ]
    items = iter(answers[len(names) :])
    lengths = {kind: sum(int(next(items)) for _ in queues) for kind, queues in QUEUES.items()}
    lengths["job"] = Queues(connection).length("job")
    return Fleet(
        workers=tuple(workers),
        queues=lengths,
        oldest=min(waiting, default=0.0),
        lacking=lacks(jobs, _offers(workers)),
        repositories=_queues_of_repositories(jobs),
    )


def _queues_of_repositories(jobs: Collection[JobRecord]) -> tuple[RepositoryQueue, ...]:
    waiting: dict[str, list[JobRecord]] = {}
    for each in jobs:
        if each.state == "waiting" and each.job is not None:
            waiting.setdefault(each.job.repository, []).append(each)
    rows = [
        RepositoryQueue(
            repository=name,
            jobs=len(own),
            datums=sum(len(each.datums) for each in own),
            oldest=min(each.created for each in own),
        )
        for name, own in waiting.items()
    ]
    return tuple(sorted(rows, key=lambda row: (-row.datums, row.repository)))


def _worker(
    name: str,
    notes: Mapping[bytes, bytes],
    running: Mapping[str, JobRecord],
    row: ProcessFacts | None,
) -> WorkerFacts:
    noted = {_text(key): _text(value) for key, value in notes.items()}
    kinds = {queue: kind for kind, queues in QUEUES.items() for queue in queues}
    facts = running.get(name)
    state = noted.get("state", "silent" if row is None else "idle")
    if facts is not None:
        # RQ writes no heartbeat while a job runs; the job's lease shows that its worker lives.
        state = "busy"
    queues = noted.get("queues", "").split(",")
    offers = tuple(need for need, queue in JOB_QUEUES.items() if queue in queues)
    job = facts.job if facts else None
    row = row or ProcessFacts(name=name, kind="job", offers=offers)
    return WorkerFacts(
        name=name,
        state=state,
        kind=kinds.get(queues[0].partition(":")[0], row.kind if facts or row.heard else ""),
        host=noted.get("hostname", row.host),
        pid=noted.get("pid", row.pid),
        since=_time(noted.get("birth", "")),
        heard=max(_time(noted.get("last_heartbeat", "")), row.heard),
        job=facts.id if facts else "",
        repository=job.repository if job else "",
        pipeline=job.pipeline if job else "",
        label=job.datums[0][0] if job and job.datums else "",
        datums=len(job.datums) if job else 0,
        begun=facts.started if facts else 0.0,
        offers=row.offers,
        resources=row.resources,
        problem=row.problem,
        disk_free=row.disk_free,
        disk_total=row.disk_total,
    )


def _text(raw: Any) -> str:
    return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)


def _time(text: str) -> float:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0
