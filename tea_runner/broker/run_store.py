"""Runs and commit statuses in Redis, for the pages and the terminal; kept for two weeks.

Nothing here decides what is computed: it can be lost, and the next plan writes it again.
"""

from __future__ import annotations

import re
import time
from dataclasses import replace
from typing import Any

import redis

from tea_runner.broker import redis_keys
from tea_runner.broker.compress_run_datums import pack_datums, with_datums
from tea_runner.broker.connection import raises_queue_error
from tea_runner.core.errors import NotFound
from tea_runner.core.planning.run import (
    Run,
    format_run,
    parse_run,
    requested_run,
    run_id,
    superseded_run,
    troubled_run,
    updated_run,
    without_datums,
)
from tea_runner.core.planning.run_datum_states import DatumRow

#: Runs that lists can show.
_MOST = 2000
_RUN = re.compile(r"[0-9a-f]{12}")
_COMMIT = re.compile(r"[0-9a-f]{7,64}")


@raises_queue_error
class RunStore:
    """The latest runs.

    Every method raises QueueError when Redis does not answer.
    """

    def __init__(self, connection: redis.Redis) -> None:
        self._redis = connection

    def current(self, repository: str, branch: str) -> str:
        """Id of the latest run of a branch; empty when none is remembered."""
        raw: Any = self._redis.get(redis_keys.branch_run(redis_keys.branch_id(repository, branch)))
        return (raw or b"").decode("ascii", "replace")

    def save(
        self, run: Run, *, active: bool = False, since: str | None = None
    ) -> tuple[Run, Run | None]:
        """Save what a plan found: as a state of the branch's latest run, or as a new run.

        A plan belongs to the latest run while that is of the same commit and has not ended.  Afterwards it
        is one more attempt, if it does something.  A run that is replaced before it ended is superseded.

        :param run: its id is that of the first run of this push.
        :param active: whether the plan enqueued jobs or published results.
        :param since: id of the branch's latest run when the plan began.  If somebody requested another run
            of the commit meanwhile, it is left to the next plan.
        :returns: the run as it was saved, and the run that it superseded.
        """
        # Former versions did not note which run is the latest of a branch.
        latest = self.get(self.current(run.repository, run.branch)) or self.get(run.id)
        if latest is not None and latest.commit == run.commit and since not in (None, latest.id):
            return latest, None
        if latest is None or latest.commit != run.commit or (active and latest.has_ended):
            return self._begin(run, latest)
        run = updated_run(replace(run, id=latest.id), latest, time.time())
        self._write(run, latest)
        return run, None

    def request(self, repository: str, branch: str, cause: str, *, by: str = "") -> Run | None:
        """A new run for the latest commit of a branch, which the next plan fills in.

        :param cause: :data:`~tea_runner.core.planning.run.RETRY` or
            :data:`~tea_runner.core.planning.run.RECOMPUTE`.
        :param by: who requests it.
        :returns: None when no run of the branch with pipelines is remembered.
        """
        latest = self.get(self.current(repository, branch))
        if latest is None or not latest.pipelines:
            return None
        return self._begin(requested_run(latest, cause, by, time.time()), latest)[0]

    def _begin(self, run: Run, latest: Run | None) -> tuple[Run, Run | None]:
        """Save a run as the latest of its branch, after *latest*."""
        attempt = 1
        while self._redis.exists(redis_keys.run(name := _attempt_id(run, attempt))):
            attempt += 1
        if latest is not None:
            run = replace(run, previous=latest.id)
        run = updated_run(replace(run, id=name, attempt=attempt), None, time.time())
        self._write(run, None)
        if latest is None:
            return run, None
        self._redis.set(redis_keys.next_run(latest.id), run.id, ex=redis_keys.next_run.ttl)
        return run, self.supersede(latest.id, _replaced_by(run, latest), by=run.id)

    def note_cancelled(self, run_id: str, by: str) -> None:
        """Note who cancels jobs of a run; due before they end, because the plan that follows keeps it."""
        run = self.get(run_id)
        if run is not None and not run.has_ended:
            self._write(replace(run, cancelled_by=by), run)

    def note_trouble(self, run: Run, trouble: str, *, wait: float = 0.0) -> Run | None:
        """Note that a plan failed and is made again: at the open run of the branch, or at a new one.

        :param run: of the branch's commit; it begins where no run knows that commit.
        :param trouble: why, as a sentence.
        :param wait: seconds until the next plan.
        :returns: the run; None when a run of this commit has ended.
        """
        latest, now = self.get(self.current(run.repository, run.branch)), time.time()
        if latest is not None and not latest.has_ended:
            run = troubled_run(latest, trouble, now + wait, now)
            self._write(run, latest)
            return run
        if latest is not None and run.commit in (
            latest.commit,
            *(pipeline.commit for pipeline in latest.pipelines),
        ):
            return None
        return self._begin(troubled_run(run, trouble, now + wait, now), latest)[0]

    def supersede(self, run_id: str, why: str, *, by: str = "") -> Run | None:
        """End a run that something replaced; returns it, or None when it had ended or is unknown.

        It stays among :meth:`open` until it is closed, when its commit statuses have been posted.

        :param why: what replaced it, as a sentence.
        :param by: id of the run that did.
        """
        run = self.get(run_id)
        if run is None or run.has_ended:
            return None
        run = superseded_run(run, why, by, time.time())
        self._write(run, run, keep_open=True)
        return run

    def open(self) -> list[Run]:
        """Runs that have not ended, and superseded ones that are not closed, without their datums."""
        ids: Any = sorted(self._redis.smembers(redis_keys.open_runs()))
        names = [raw.decode("ascii", "replace") for raw in ids]
        rows: Any = (
            self._redis.mget([redis_keys.run_summary(name) for name in names]) if names else []
        )
        runs = dict(zip(names, map(_read, rows), strict=True))
        gone = [
            name
            for name, run in runs.items()
            if run is None or (run.has_ended and not run.superseded)
        ]
        self.close(*gone)
        return [run for name, run in runs.items() if run is not None and name not in gone]

    def close(self, *ids: str) -> None:
        """Take runs out of :meth:`open`."""
        if ids:
            self._redis.srem(redis_keys.open_runs(), *ids)

    def index(self) -> None:
        """Note the latest run of each branch, and which runs are open, where that is not known yet.

        Costs one read of the summaries of all runs; due once after an upgrade, or a lost key.
        """
        runs = self.recent(_MOST)
        for run in runs:
            if not run.has_ended:
                self._redis.sadd(redis_keys.open_runs(), run.id)
            name = redis_keys.branch_run(redis_keys.branch_id(run.repository, run.branch))
            self._redis.set(name, run.id, nx=True, ex=redis_keys.branch_run.ttl)

    def next(self, run_id: str) -> str:
        """Id of the run of the branch after this one; empty for the latest."""
        raw: Any = self._redis.get(redis_keys.next_run(run_id))
        return (raw or b"").decode("ascii", "replace")

    def _write(self, run: Run, before: Run | None, *, keep_open: bool = False) -> None:
        old = {job for pipeline in before.pipelines for job in pipeline.jobs} if before else set()
        pipe = self._redis.pipeline(transaction=True)
        pipe.set(redis_keys.run(run.id), format_run(without_datums(run)), ex=redis_keys.run.ttl)
        if before is None or _rows(run) != _rows(before):
            datums = redis_keys.run_datums(run.id)
            pipe.delete(datums)
            if run.pipelines:
                pipe.hset(datums, mapping=pack_datums(run))  # type: ignore[arg-type]
        pipe.expire(redis_keys.run_datums(run.id), redis_keys.run_datums.ttl)
        summary = format_run(_summary(run))
        pipe.set(redis_keys.run_summary(run.id), summary, ex=redis_keys.run_summary.ttl)
        for pipeline in run.pipelines:
            for job in pipeline.jobs:
                if job not in old:
                    pipe.set(redis_keys.run_of_job(job), run.id, ex=redis_keys.run_of_job.ttl)
        if run.has_ended and not keep_open:
            pipe.srem(redis_keys.open_runs(), run.id)
        else:
            pipe.sadd(redis_keys.open_runs(), run.id)
        if before is None:
            name = redis_keys.branch_run(redis_keys.branch_id(run.repository, run.branch))
            pipe.set(name, run.id, ex=redis_keys.branch_run.ttl)
        for name in (redis_keys.runs(), redis_keys.runs_of(run.repository)):
            pipe.zadd(name, {run.id: run.started})
            pipe.zremrangebyrank(name, 0, -_MOST - 1)
        pipe.expire(redis_keys.runs_of(run.repository), redis_keys.runs_of.ttl)
        pipe.zadd(redis_keys.repositories(), {run.repository: run.started})
        pipe.execute()

    def get(self, run: str) -> Run | None:
        """One run by its id; None for an unknown one."""
        if not run:
            return None
        pipe = self._redis.pipeline(transaction=True)
        pipe.get(redis_keys.run(run))
        pipe.hgetall(redis_keys.run_datums(run))
        raw, datums = pipe.execute()
        found = _read(raw)
        return with_datums(found, datums) if found is not None else None

    def head(self, run: str) -> Run | None:
        """As :meth:`get`, without the datums."""
        raw: Any = self._redis.get(redis_keys.run(run)) if run else None
        return _read(raw)

    def latest(self, number: int = 50, repository: str = "") -> list[Run]:
        """The newest runs in full, of one repository or of all."""
        found = (self.get(summary.id) for summary in self.recent(number, repository))
        return [run for run in found if run is not None]

    def recent(self, number: int = 50, repository: str = "") -> list[Run]:
        """As :meth:`latest`, without datums and jobs, which is much cheaper."""
        name = redis_keys.runs_of(repository) if repository else redis_keys.runs()
        ids: Any = self._redis.zrevrange(name, 0, number - 1)
        names = [redis_keys.run_summary(raw.decode("ascii", "replace")) for raw in ids]
        if not names:
            return []
        rows: Any = self._redis.mget(names)
        return [run for run in map(_read, rows) if run is not None]

    def repositories(self) -> list[str]:
        """Repositories that have runs, the latest first."""
        names: Any = self._redis.zrevrange(redis_keys.repositories(), 0, -1)
        return [name.decode("utf-8", "replace") for name in names]

    def run_of_job(self, job_id: str) -> Run | None:
        """The latest run that enqueued a job; None for an unknown one."""
        raw: Any = self._redis.get(redis_keys.run_of_job(job_id))
        return self.get(raw.decode("ascii", "replace")) if raw else None

    def repository_of(self, run: str) -> str:
        """The repository of a run; empty for an unknown one.  Costs one read of its summary."""
        found = _read(self._redis.get(redis_keys.run_summary(run)))  # type: ignore[arg-type]
        return found.repository if found is not None else ""

    def repository_of_job(self, job_id: str) -> str:
        """The repository of the latest run that enqueued a job; empty for an unknown one."""
        raw: Any = self._redis.get(redis_keys.run_of_job(job_id))
        return self.repository_of(raw.decode("ascii", "replace")) if raw else ""

    def find(self, name: str) -> Run:
        """The run of this id, or the latest one of this commit (7 digits or more) or repository.

        :raises NotFound: when there is none.
        """
        run = self.get(name) if _RUN.fullmatch(name) else None
        if run is not None:
            return run
        summaries = self.recent(1, name) if "/" in name else self.recent(_MOST)
        for summary in summaries:
            if "/" in name or (_COMMIT.fullmatch(name) and summary.commit.startswith(name)):
                whole = self.get(summary.id)
                if whole is not None:
                    return whole
        raise NotFound(
            f"there is no run {name}", hint="tea-runner runs lists those that are remembered"
        )

    def commit_statuses(self, repository: str, commit: str) -> dict[str, str]:
        """Contexts of the statuses that the forge accepted for a commit, to state and description."""
        found: Any = self._redis.hgetall(redis_keys.commit_statuses(repository, commit))
        return {
            k.decode("utf-8", "replace"): v.decode("utf-8", "replace") for k, v in found.items()
        }

    def note_commit_status(self, repository: str, commit: str, context: str, text: str) -> None:
        """Remember a status that the forge accepted; after that, so that it is not lost between."""
        name = redis_keys.commit_statuses(repository, commit)
        pipe = self._redis.pipeline(transaction=True)
        pipe.hset(name, context, text)
        pipe.expire(name, redis_keys.commit_statuses.ttl)
        pipe.execute()


def _attempt_id(run: Run, attempt: int) -> str:
    return run_id(run.repository, run.branch, run.commit, attempt)


def _replaced_by(run: Run, latest: Run) -> str:
    if run.commit == latest.commit:
        return f"replaced by run {run.id} of the same commit ({run.why or 'planned again'})"
    return f"replaced by the push of {run.commit[:12]}"


def _summary(run: Run) -> Run:
    pipelines = [replace(pipeline, jobs=[], datums=[]) for pipeline in run.pipelines]
    return replace(run, pipelines=pipelines)


def _rows(run: Run) -> list[list[DatumRow]]:
    return [pipeline.datums for pipeline in run.pipelines]


def _read(raw: bytes | None) -> Run | None:
    """A run from JSON; None for one that another version wrote."""
    if raw is None:
        return None
    try:
        return parse_run(raw)
    except ValueError:
        return None
