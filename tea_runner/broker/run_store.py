"""How runs stand in, the pages' and the terminal's view of them out; kept in Redis for two weeks.

Nothing here decides anything: it can be lost, and the next plan writes it again.

Keys (all below ``tea:``):
``run:<id>``             the run, as JSON
``run:<id>:head``        the same without its datums and jobs: what lists need
``run-of:<job>``         id of the run that a job was last wanted for
``runs``                 ids by the time when they began
``runs:<repository>``    the same, of one repository
``repositories``         names by the time of their last run
"""

from __future__ import annotations

import re
import time
from dataclasses import replace
from typing import Any

import redis

from tea_runner.broker.connection import answered
from tea_runner.core.errors import NotFound
from tea_runner.core.planning.run import Run, carried_on, format_run, parse_run

_KEEP = 14 * 86_400
_MOST = 2000
_RUN = re.compile(r"[0-9a-f]{12}")
_COMMIT = re.compile(r"[0-9a-f]{7,64}")


class RunStore:
    """All runs that are remembered.

    Every method raises QueueError when Redis does not answer.
    """

    def __init__(self, connection: redis.Redis) -> None:
        self._redis = connection

    def save(self, run: Run) -> Run:
        """Remember how a run stands; what a job or a results commit once said of it is kept.

        :returns: the run as it is remembered.
        """
        before = self.get(run.id)
        run = carried_on(run, before, time.time())
        old = {job for pipeline in before.pipelines for job in pipeline.jobs} if before else set()
        own = f"tea:runs:{run.repository}"
        pipe = self._redis.pipeline(transaction=False)
        pipe.set(f"tea:run:{run.id}", format_run(run), ex=_KEEP)
        pipe.set(f"tea:run:{run.id}:head", format_run(_head(run)), ex=_KEEP)
        for pipeline in run.pipelines:
            for job in pipeline.jobs:
                if job not in old:
                    pipe.set(f"tea:run-of:{job}", run.id, ex=_KEEP)
        for name in ("tea:runs", own):
            pipe.zadd(name, {run.id: run.started})
            pipe.zremrangebyrank(name, 0, -_MOST - 1)
        pipe.expire(own, _KEEP)
        pipe.zadd("tea:repositories", {run.repository: run.started})
        answered(pipe.execute)
        return run

    def get(self, run: str) -> Run | None:
        """One run by its id."""
        raw: Any = answered(lambda: self._redis.get(f"tea:run:{run}"))
        return _read(raw)

    def latest(self, number: int = 50, repository: str = "") -> list[Run]:
        """The newest runs in full, of one repository or of all."""
        heads = self.recent(number, repository)
        found = (self.get(head.id) for head in heads)
        return [run for run in found if run is not None]

    def recent(self, number: int = 50, repository: str = "") -> list[Run]:
        """As :meth:`latest`, without datums and jobs, which is much cheaper."""
        name = f"tea:runs:{repository}" if repository else "tea:runs"
        ids: Any = answered(lambda: self._redis.zrevrange(name, 0, number - 1))
        names = [f"tea:run:{raw.decode('ascii', 'replace')}:head" for raw in ids]
        if not names:
            return []
        rows: Any = answered(lambda: self._redis.mget(names))
        return [run for run in map(_read, rows) if run is not None]

    def repositories(self) -> list[str]:
        """Repositories that have runs, the latest first."""
        names: Any = answered(lambda: self._redis.zrevrange("tea:repositories", 0, -1))
        return [name.decode("utf-8", "replace") for name in names]

    def run_of_job(self, job_id: str) -> Run | None:
        """The run that a job was last wanted for."""
        raw: Any = answered(lambda: self._redis.get(f"tea:run-of:{job_id}"))
        return self.get(raw.decode("ascii", "replace")) if raw else None

    def find(self, name: str) -> Run:
        """The run of this id, or the latest one of this commit (7 digits or more) or repository.

        :raises NotFound: when there is none.
        """
        run = self.get(name) if _RUN.fullmatch(name) else None
        if run is not None:
            return run
        heads = self.recent(1, name) if "/" in name else self.recent(_MOST)
        for head in heads:
            if "/" in name or (_COMMIT.fullmatch(name) and head.commit.startswith(name)):
                whole = self.get(head.id)
                if whole is not None:
                    return whole
        raise NotFound(f"there is no run {name}; tea-runner runs lists those that are remembered")

    def statuses(self, repository: str, commit: str) -> dict[str, str]:
        """Context to what the forge was told of this commit and took; nothing when none is known."""
        name = f"tea:status:{repository}:{commit}"
        found: Any = answered(lambda: self._redis.hgetall(name))
        return {
            k.decode("utf-8", "replace"): v.decode("utf-8", "replace") for k, v in found.items()
        }

    def note_status(self, repository: str, commit: str, context: str, text: str) -> None:
        """The forge has it.  Noted afterwards: better posted twice than never."""
        name = f"tea:status:{repository}:{commit}"
        answered(lambda: self._redis.hset(name, context, text))
        answered(lambda: self._redis.expire(name, _KEEP))


def _head(run: Run) -> Run:
    pipelines = [replace(pipeline, jobs=[], datums=[]) for pipeline in run.pipelines]
    return replace(run, pipelines=pipelines)


def _read(raw: bytes | None) -> Run | None:
    """A run; one that another version wrote is as good as none."""
    if raw is None:
        return None
    try:
        return parse_run(raw)
    except ValueError:
        return None
