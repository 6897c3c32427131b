"""Runs: one push each, with the state of its pipelines and datums, and their JSON text."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, NamedTuple

from tea_runner.core.planning.plan import Source
from tea_runner.core.planning.states import ENDED_STATES, PlanState

#: Datums that a run remembers of one pipeline.
MOST_DATUMS = 2000

#: What is kept of a datum's decision; "done" instead of "reuse" when a job of this run computed it.
RunAction = Literal["current", "reuse", "run", "wait", "failed", "blocked", "done"]


class DatumRow(NamedTuple):
    """One datum of a run; in JSON a list in this order."""

    label: str
    key: str
    action: RunAction
    #: One of :data:`~tea_runner.core.planning.reasons.REASONS`, or a word of another version.
    reason: str
    detail: str = ""
    source: Source | None = None


@dataclass(frozen=True, kw_only=True)
class PipelineRun:
    """One pipeline of a run."""

    name: str
    state: PlanState
    counts: dict[str, int] = field(default_factory=dict)
    #: Why the pipeline as a whole waits or is blocked, one of
    #: :data:`~tea_runner.core.planning.reasons.REASONS`.
    reason: str = ""
    #: The pipeline that it waits for, or a sentence.
    detail: str = ""
    #: The results commit, once there is one.
    commit: str = ""
    jobs: list[str] = field(default_factory=list)
    #: At most 2,000 datums, those that run first.
    datums: list[DatumRow] = field(default_factory=list)
    #: Names of the pipelines whose results it reads.
    upstream: list[str] = field(default_factory=list)
    #: The directory of its results.
    home: str = ""
    #: Name of the trusted signer of its manifest; empty where none proves it.
    signer: str = ""


@dataclass(frozen=True, kw_only=True)
class Run:
    """One push, and what was planned, computed and published for it."""

    id: str
    repository: str
    branch: str
    #: The commit that was pushed, its first line and its author.
    commit: str
    title: str = ""
    author: str = ""
    started: float = 0.0
    updated: float = 0.0
    #: When nothing was left to do; 0 before.
    ended: float = 0.0
    pipelines: list[PipelineRun] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def state(self) -> PlanState:
        """The verdict over all pipelines."""
        states = {pipeline.state for pipeline in self.pipelines}
        if states & {"running", "ready", "waiting"}:
            return "running"
        if "failed" in states:
            return "failed"
        if "blocked" in states:
            return "blocked"
        return "failed" if self.problems else "settled"


def run_id(repository: str, branch: str, commit: str) -> str:
    """12 hex digits; equal for the same push."""
    text = f"{repository}\n{branch}\n{commit}"
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:12]


def updated_run(run: Run, before: Run | None, now: float) -> Run:
    """The run after a further plan: what earlier plans of the same push did is kept."""
    old = {pipeline.name: pipeline for pipeline in before.pipelines} if before else {}
    pipelines = [
        _updated(pipeline, old[pipeline.name]) if pipeline.name in old else pipeline
        for pipeline in run.pipelines
    ]
    ended = 0.0
    if run.state in ENDED_STATES:
        ended = before.ended if before and before.ended else now
    return replace(
        run,
        pipelines=pipelines,
        started=before.started if before else now,
        updated=now,
        ended=ended,
    )


def _updated(row: PipelineRun, old: PipelineRun) -> PipelineRun:
    row = replace(
        row,
        jobs=list(dict.fromkeys([*old.jobs, *row.jobs])),
        commit=row.commit or old.commit,
        upstream=row.upstream or old.upstream,
        home=row.home or old.home,
        signer=row.signer or old.signer,
    )
    if row.state != "settled":
        return replace(row, datums=_reasons_kept(row.datums, old.datums))
    if old.state == "settled" and old.commit:
        # A later plan finds all results current: the counts say what the run did.
        detail = row.detail or old.detail
        return replace(row, counts=old.counts, datums=old.datums, detail=detail)
    return replace(row, datums=_reasons_kept(row.datums, old.datums) or old.datums)


def _reasons_kept(rows: Sequence[DatumRow], before: Sequence[DatumRow]) -> list[DatumRow]:
    """A datum that ran in this run keeps the reason why it ran, although its result is known now."""
    ran = {(row.label, row.key): row for row in before if row.action in ("run", "done")}
    kept = []
    for row in rows[:MOST_DATUMS]:
        old = ran.get((row.label, row.key))
        if old is not None and row.action in ("reuse", "current"):
            row = old._replace(action="done", source="job")
        kept.append(row)
    return kept


def format_run(run: Run) -> str:
    """The run as JSON text."""
    return json.dumps(asdict(run))


def parse_run(text: str | bytes) -> Run:
    """The run in JSON text; rows of datums of earlier versions, without a source, are read too.

    :raises ValueError: when it is no run, or one of another version.
    """
    try:
        document = json.loads(text)
        pipelines = [_parse_pipeline(row) for row in document.pop("pipelines")]
        return Run(**document, pipelines=pipelines)
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"this is no run: {error}") from error


def _parse_pipeline(document: dict[str, Any]) -> PipelineRun:
    rows = map(_parse_row, document.pop("datums"))
    return PipelineRun(**document, datums=[row for row in rows if row is not None])


def _parse_row(row: Sequence[Any]) -> DatumRow | None:
    if len(row) == 5:
        job = row[2] == "reuse" and str(row[4]).startswith("refs/tea/")
        row = [*row, "job" if job else None]
    return DatumRow(*row) if len(row) == 6 else None
