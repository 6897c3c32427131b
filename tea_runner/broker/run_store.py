"""Runs and commit statuses in Redis, for the pages and the terminal; kept for two weeks.

Nothing here decides what is computed: it can be lost, and the next plan writes it again.
"""

from __future__ import annotations

import re
import time
from dataclasses import replace
from typing import Any

import redis

from tea_runner.broker import keys
from tea_runner.broker.connection import raises_queue_error
from tea_runner.core.errors import NotFound
from tea_runner.core.planning.run import Run, format_run, parse_run, updated_run

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

    def save(self, run: Run) -> Run:
        """Save the state of a run; facts of an earlier state that this one lacks are kept.

        :returns: the run as it was saved.
        """
        before = self.get(run.id)
        run = updated_run(run, before, time.time())
        old = {job for pipeline in before.pipelines for job in pipeline.jobs} if before else set()
        pipe = self._redis.pipeline(transaction=False)
        pipe.set(keys.run(run.id), format_run(run), ex=keys.run.ttl)
        summary = format_run(_summary(run))
        pipe.set(keys.run_summary(run.id), summary, ex=keys.run_summary.ttl)
        for pipeline in run.pipelines:
            for job in pipeline.jobs:
                if job not in old:
                    pipe.set(keys.run_of_job(job), run.id, ex=keys.run_of_job.ttl)
        for name in (keys.runs(), keys.runs_of(run.repository)):
            pipe.zadd(name, {run.id: run.started})
            pipe.zremrangebyrank(name, 0, -_MOST - 1)
        pipe.expire(keys.runs_of(run.repository), keys.runs_of.ttl)
        pipe.zadd(keys.repositories(), {run.repository: run.started})
        pipe.execute()
        return run

    def get(self, run: str) -> Run | None:
        """One run by its id; None for an unknown one."""
        raw: Any = self._redis.get(keys.run(run))
        return _read(raw)

    def latest(self, number: int = 50, repository: str = "") -> list[Run]:
        """The newest runs in full, of one repository or of all."""
        found = (self.get(summary.id) for summary in self.recent(number, repository))
        return [run for run in found if run is not None]

    def recent(self, number: int = 50, repository: str = "") -> list[Run]:
        """As :meth:`latest`, without datums and jobs, which is much cheaper."""
        name = keys.runs_of(repository) if repository else keys.runs()
        ids: Any = self._redis.zrevrange(name, 0, number - 1)
        names = [keys.run_summary(raw.decode("ascii", "replace")) for raw in ids]
        if not names:
            return []
        rows: Any = self._redis.mget(names)
        return [run for run in map(_read, rows) if run is not None]

    def repositories(self) -> list[str]:
        """Repositories that have runs, the latest first."""
        names: Any = self._redis.zrevrange(keys.repositories(), 0, -1)
        return [name.decode("utf-8", "replace") for name in names]

    def run_of_job(self, job_id: str) -> Run | None:
        """The latest run that enqueued a job; None for an unknown one."""
        raw: Any = self._redis.get(keys.run_of_job(job_id))
        return self.get(raw.decode("ascii", "replace")) if raw else None

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
        found: Any = self._redis.hgetall(keys.commit_statuses(repository, commit))
        return {
            k.decode("utf-8", "replace"): v.decode("utf-8", "replace") for k, v in found.items()
        }

    def note_commit_status(self, repository: str, commit: str, context: str, text: str) -> None:
        """Remember a status that the forge accepted; after that, so that it is not lost between."""
        name = keys.commit_statuses(repository, commit)
        pipe = self._redis.pipeline(transaction=True)
        pipe.hset(name, context, text)
        pipe.expire(name, keys.commit_statuses.ttl)
        pipe.execute()


def _summary(run: Run) -> Run:
    pipelines = [replace(pipeline, jobs=[], datums=[]) for pipeline in run.pipelines]
    return replace(run, pipelines=pipelines)


def _read(raw: bytes | None) -> Run | None:
    """A run from JSON; None for one that another version wrote."""
    if raw is None:
        return None
    try:
        return parse_run(raw)
    except ValueError:
        return None
