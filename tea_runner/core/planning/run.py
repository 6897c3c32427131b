"""One push's plan being carried out, as a value: what was pushed, and how each pipeline stands."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

#: Datums that a run remembers of one pipeline.
MOST_DATUMS = 2000

#: States of a pipeline's plan after which nothing more happens by itself.
ENDED = ("settled", "failed", "blocked")


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
    #: Names of the pipelines whose results it reads.
    upstream: list[str] = field(default_factory=list)
    #: The directory of its results.
    home: str = ""


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
    #: When nothing was left to do; 0 while something is.
    ended: float = 0.0
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
    text = f"{repository}\n{branch}\n{commit}"
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:12]


def carried_on(run: Run, before: Run | None, now: float) -> Run:
    """The run as it is to be remembered: what a job or a results commit once said of it is kept."""
    old = {pipeline.name: pipeline for pipeline in before.pipelines} if before else {}
    pipelines = [
        _carried(pipeline, old[pipeline.name]) if pipeline.name in old else pipeline
        for pipeline in run.pipelines
    ]
    ended = 0.0
    if run.state in ENDED:
        ended = before.ended if before and before.ended else now
    return replace(
        run,
        pipelines=pipelines,
        started=before.started if before else now,
        updated=now,
        ended=ended,
    )


def _carried(row: PipelineRun, old: PipelineRun) -> PipelineRun:
    row = replace(
        row,
        jobs=list(dict.fromkeys([*old.jobs, *row.jobs])),
        commit=row.commit or old.commit,
        upstream=row.upstream or old.upstream,
        home=row.home or old.home,
    )
    if row.state != "settled":
        return replace(row, datums=_reasons_kept(row.datums, old.datums))
    if old.state == "settled" and old.commit:
        # A later plan finds everything in place: what the run did is what counts.
        detail = row.detail or old.detail
        return replace(row, counts=old.counts, datums=old.datums, detail=detail)
    return replace(row, datums=_reasons_kept(row.datums, old.datums) or old.datums)


def _reasons_kept(
    rows: Sequence[Sequence[str]], before: Sequence[Sequence[str]]
) -> list[list[str]]:
    """What ran in this run keeps the reason why it ran, although by now its result is known."""
    ran = {(row[0], row[1]): row for row in before if row[2] in ("run", "done")}
    kept = []
    for row in rows[:MOST_DATUMS]:
        old = ran.get((row[0], row[1]))
        if old is not None and row[2] in ("reuse", "current"):
            kept.append([row[0], row[1], "done", old[3], old[4]])
        else:
            kept.append(list(row))
    return kept
