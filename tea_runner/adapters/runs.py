"""How runs stand in, the pages' and the terminal's view of them out; kept in Redis for two weeks.

A run is one push's plan being carried out.  Nothing here decides anything: it can be lost, and the
next plan writes it again.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict, dataclass, field
from typing import Any

import redis

_KEEP = 14 * 86_400
_MOST = 2000


@dataclass(frozen=True, kw_only=True)
class PipelineRun:
    """One pipeline of a run."""

    name: str
    state: str
    counts: dict[str, int] = field(default_factory=dict)
    detail: str = ""
    #: The results commit, once there is one.
    commit: str = ""
    jobs: list[str] = field(default_factory=list)
    #: (datum, key, action, reason, detail) of at most 2,000 datums, those that run first.
    datums: list[list[str]] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Run:
    """One push's plan being carried out."""

    id: str
    repository: str
    branch: str
    #: The commit that was pushed, its first line and its author.
    commit: str
    title: str = ""
    author: str = ""
    started: float = 0.0
    updated: float = 0.0
    pipelines: list[PipelineRun] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def state(self) -> str:
        """The verdict over all pipelines."""
        states = {pipeline.state for pipeline in self.pipelines}
        for state in ("running", "ready", "waiting", "failed", "blocked"):
            if state in states:
                return "running" if state in ("ready", "waiting") else state
        return "failed" if self.problems else "settled"


def run_id(repository: str, branch: str, commit: str) -> str:
    """12 hex digits: the same push is the same run."""
    return hashlib.sha256(f"{repository}\n{branch}\n{commit}".encode()).hexdigest()[:12]


class Runs:
    """All runs that are remembered."""

    def __init__(self, connection: redis.Redis) -> None:
        self._redis = connection

    def save(self, run: Run) -> None:
        """Remember how a run stands; what a job or a results commit once said of it is kept."""
        before = self.get(run.id)
        document = asdict(run)
        document["updated"] = time.time()
        document["started"] = before.started if before else document["updated"]
        if before is not None:
            old = {pipeline.name: pipeline for pipeline in before.pipelines}
            for row in document["pipelines"]:
                _keep(row, old.get(row["name"]))
        pipe = self._redis.pipeline(transaction=False)
        pipe.set(f"tea:run:{run.id}", json.dumps(document), ex=_KEEP)
        pipe.zadd("tea:runs", {run.id: document["started"]})
        pipe.zremrangebyrank("tea:runs", 0, -_MOST)
        pipe.execute()

    def get(self, run: str) -> Run | None:
        """One run by its id."""
        raw: Any = self._redis.get(f"tea:run:{run}")
        if raw is None:
            return None
        document = json.loads(raw)
        document["pipelines"] = [PipelineRun(**row) for row in document["pipelines"]]
        return Run(**document)

    def latest(self, number: int = 50, repository: str = "") -> list[Run]:
        """The newest runs, of one repository or of all."""
        ids: Any = self._redis.zrevrange("tea:runs", 0, _MOST)
        found = []
        for raw in ids:
            run = self.get(raw.decode())
            if run is not None and repository in ("", run.repository):
                found.append(run)
                if len(found) >= number:
                    break
        return found

    def changed_status(self, repository: str, commit: str, context: str, text: str) -> bool:
        """Whether this is news: a status is posted once, not with every plan."""
        name = f"tea:status:{repository}:{commit}"
        if self._redis.hget(name, context) == text.encode():
            return False
        self._redis.hset(name, context, text)
        self._redis.expire(name, _KEEP)
        return True

    def forget_status(self, repository: str, commit: str, context: str) -> None:
        """A status could not be posted: the next plan tries again."""
        self._redis.hdel(f"tea:status:{repository}:{commit}", context)


def _keep(row: dict[str, Any], old: PipelineRun | None) -> None:
    if old is None:
        return
    row["jobs"] = list(dict.fromkeys([*old.jobs, *row["jobs"]]))
    row["commit"] = row["commit"] or old.commit
    if row["state"] == "settled" and old.state == "settled" and old.commit:
        # A later plan finds everything in place: what the run did is what counts.
        row["counts"], row["datums"] = old.counts, old.datums
    if row["state"] == "settled" and not row["datums"]:
        row["datums"] = old.datums
