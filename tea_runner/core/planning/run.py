"""Runs: a push, retry or request each, with the state of its pipelines and datums, and their JSON text."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from tea_runner.core.pipeline import Pipeline, Variable
from tea_runner.core.planning.run_datum_states import DatumRow, count_datums, states_of_words
from tea_runner.core.planning.states import ENDED_STATES, PlanState, RunState, State
from tea_runner.core.spec.variable_values import all_values

#: Causes of runs that somebody requested for a commit that had a run before.
RETRY, RECOMPUTE = "retry requested", "recompute requested"

#: Of a datum whose result another datum of the run has computed.
_SAME: Mapping[str, Any] = {"reason": "same-content", "source": None}


@dataclass(frozen=True, kw_only=True)
class PipelineRun:
    """One pipeline of a run."""

    name: str
    state: PlanState
    #: How many datums are in each state, as of the last plan; from :func:`count_datums`.
    counts: Mapping[State, int] = field(default_factory=dict)
    #: Why the pipeline as a whole waits or is blocked, one of
    #: :data:`~tea_runner.core.planning.reasons.REASONS`.
    reason: str = ""
    #: The pipeline that it waits for, or a sentence.
    detail: str = ""
    #: The results commit, once there is one.
    commit: str = ""
    jobs: list[str] = field(default_factory=list)
    #: All datums with something to do, those that run first, and some of the unchanged ones.
    datums: list[DatumRow] = field(default_factory=list)
    #: How many unchanged datums are not among them.
    unlisted: int = 0
    #: Names of the pipelines whose results it reads.
    upstream: list[str] = field(default_factory=list)
    #: The directory of its results.
    home: str = ""
    #: Name of the trusted signer of its manifest; empty where none proves it.
    signer: str = ""
    #: What its file asks for and does not happen; empty for nothing.
    remark: str = ""
    #: Names of its schedules, of its inputs with a trigger, and its variables with their values (see
    #: :func:`variable_rows`).
    schedules: list[str] = field(default_factory=list)
    triggers: list[str] = field(default_factory=list)
    variables: list[dict[str, Any]] = field(default_factory=list)
    #: When it waited for no other pipeline any more, and when nothing was left to do; 0 before.
    started: float = 0.0
    ended: float = 0.0

    @property
    def seconds(self) -> float | None:
        """How long it took; None while it is under way, or where nothing was to do."""
        return self.ended - self.started if self.ended > self.started > 0 else None


@dataclass(frozen=True, kw_only=True)
class Run:
    """What was planned, computed and published for one push, or for a later request at its commit."""

    id: str
    repository: str
    branch: str
    #: The commit that was pushed, its first line and its author.
    commit: str
    title: str = ""
    author: str = ""
    #: Why it was made, such as ``push`` or :data:`RETRY`.
    cause: str = ""
    #: Who requested it; empty for a push.
    requested_by: str = ""
    #: Who cancelled jobs of it, the last of them.
    cancelled_by: str = ""
    #: Who approved the commit of a pull request, or that so much is computed.
    approved_by: str = ""
    #: Id of the run of this branch before it.
    previous: str = ""
    #: Counts the runs of this commit on this branch.
    attempt: int = 1
    started: float = 0.0
    updated: float = 0.0
    #: When nothing was left to do; 0 before.
    ended: float = 0.0
    #: What replaced it before it ended, as a sentence, and the id of the run that did.
    superseded: str = ""
    superseded_by: str = ""
    #: Why the last plan failed, how many did so in a row, and when the next one is due.
    trouble: str = ""
    tries: int = 0
    next_try: float = 0.0
    #: The branch that holds the results beside the branch; empty when there is none.
    results_branch: str = ""
    pipelines: list[PipelineRun] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    #: Commits that people pushed to other repositories, and that it follows from.
    causes: list[str] = field(default_factory=list)
    #: The commits of other repositories that moved pins of it, as ``owner/name@commit``.
    pins: list[str] = field(default_factory=list)

    @property
    def why(self) -> str:
        """Why it was made, with who requested it."""
        return f"{self.cause} by {self.requested_by}" if self.requested_by else self.cause

    @property
    def state(self) -> RunState:
        """The verdict over all pipelines."""
        if self.superseded:
            return "superseded"
        states = {pipeline.state for pipeline in self.pipelines}
        if self.trouble or states & {"running", "ready", "waiting"}:
            return "running"
        if "failed" in states:
            return "failed"
        if "blocked" in states:
            return "blocked"
        return "failed" if self.problems else "settled"

    @property
    def has_ended(self) -> bool:
        """Whether nothing is under way any more."""
        return self.state in ENDED_STATES


def variable_rows(pipeline: Pipeline) -> list[dict[str, Any]]:
    """The variables of a pipeline, as a run keeps them: what is declared, and the present value."""
    values = all_values(pipeline.variables, dict(pipeline.given or ()))
    return [{**asdict(each), "value": values[each.name]} for each in pipeline.variables]


def declared_variables(row: PipelineRun) -> tuple[Variable, ...]:
    """The variables that a pipeline of a run declares."""
    return tuple(
        Variable(
            **{name: value for name, value in each.items() if name not in ("value", "options")},
            options=tuple(each["options"]),
        )
        for each in row.variables
    )


def run_id(repository: str, branch: str, commit: str, attempt: int = 1) -> str:
    """12 hex digits; equal for the same attempt at the same push."""
    text = f"{repository}\n{branch}\n{commit}" + (f"\n{attempt}" if attempt > 1 else "")
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:12]


def without_datums(run: Run) -> Run:
    """The run with the counts of its datums only."""
    return replace(run, pipelines=[replace(pipeline, datums=[]) for pipeline in run.pipelines])


def updated_run(run: Run, before: Run | None, now: float) -> Run:
    """The run after a further plan: what earlier plans of the same run did is kept."""
    old = {pipeline.name: pipeline for pipeline in before.pipelines} if before else {}
    pipelines = [
        _timed(_updated(pipeline, old.get(pipeline.name), run), old.get(pipeline.name), now)
        for pipeline in run.pipelines
    ]
    run = replace(run, pipelines=pipelines, started=now, updated=now)
    if before is not None:
        run = replace(
            run,
            cause=before.cause,
            requested_by=before.requested_by,
            cancelled_by=before.cancelled_by,
            approved_by=run.approved_by or before.approved_by,
            previous=before.previous,
            attempt=before.attempt,
            started=before.started,
            superseded=before.superseded,
            superseded_by=before.superseded_by,
            # Its results commit has the pins, so that later plans move none.
            causes=run.causes or before.causes,
            pins=run.pins or before.pins,
        )
    ended = 0.0
    if run.has_ended:
        ended = before.ended if before and before.ended else now
    return replace(run, ended=ended)


def superseded_run(run: Run, why: str, by: str, now: float) -> Run:
    """The run after something replaced it; one that had ended stays as it is.

    :param why: what replaced it, as a sentence.
    :param by: id of the run that did; empty when no run did.
    """
    if run.has_ended:
        return run
    pipelines = [
        replace(row, counts=dict(count_datums(row.datums, row.unlisted, superseded=True)))
        if row.state not in ENDED_STATES
        else row
        for row in run.pipelines
    ]
    return replace(
        run, pipelines=pipelines, superseded=why, superseded_by=by, updated=now, ended=now
    )


def troubled_run(run: Run, trouble: str, next_try: float, now: float) -> Run:
    """The run after a plan of it failed.

    :param trouble: why, as a sentence.
    :param next_try: when the next plan is due, in seconds since 1970.
    """
    tries = run.tries + 1
    return replace(
        run,
        trouble=trouble,
        tries=tries,
        next_try=next_try,
        updated=now,
        started=run.started or now,
    )


def requested_run(latest: Run, cause: str, by: str, now: float) -> Run:
    """The next run of a commit, before it is planned: all of its pipelines wait.

    :param by: who requested it.
    """
    attempt = latest.attempt + 1
    pipelines = [
        PipelineRun(
            name=row.name,
            state="waiting",
            upstream=row.upstream,
            home=row.home,
            schedules=row.schedules,
            triggers=row.triggers,
            variables=row.variables,
        )
        for row in latest.pipelines
    ]
    return Run(
        id=run_id(latest.repository, latest.branch, latest.commit, attempt),
        repository=latest.repository,
        branch=latest.branch,
        commit=latest.commit,
        title=latest.title,
        author=latest.author,
        cause=cause,
        requested_by=by,
        previous=latest.id,
        attempt=attempt,
        started=now,
        updated=now,
        pipelines=pipelines,
    )


def _timed(row: PipelineRun, old: PipelineRun | None, now: float) -> PipelineRun:
    """The pipeline with the times of its beginning and its end."""
    started, ended = (old.started, old.ended) if old else (0.0, 0.0)
    return replace(
        row,
        started=started or (now if row.state != "waiting" else 0.0),
        ended=(ended or now) if row.state in ENDED_STATES else 0.0,
    )


def _updated(row: PipelineRun, old: PipelineRun | None, run: Run) -> PipelineRun:
    old = old or PipelineRun(name=row.name, state="waiting")
    row = replace(
        row,
        jobs=list(dict.fromkeys([*old.jobs, *row.jobs])),
        commit=row.commit or old.commit,
        upstream=row.upstream or old.upstream,
        home=row.home or old.home,
        signer=row.signer or old.signer,
    )
    if row.state == old.state == "settled" and old.commit:
        # A later plan finds all results current: the run stays what it did.
        detail = row.detail or old.detail
        return replace(
            row, counts=old.counts, datums=old.datums, unlisted=old.unlisted, detail=detail
        )
    # Jobs of earlier runs are not of this one; a run without a predecessor knows of all.
    own = None if not run.previous else set(row.jobs)
    rows = _reasons_kept(row.datums, old.datums, own)
    if row.state == "settled" and not rows and not row.unlisted:
        rows, row = old.datums, replace(row, unlisted=old.unlisted)
    if not rows and not row.unlisted:
        return row
    return replace(row, datums=rows, counts=dict(count_datums(rows, row.unlisted)))


def _reasons_kept(
    rows: Sequence[DatumRow], before: Sequence[DatumRow], own: Container[str] | None
) -> list[DatumRow]:
    """A datum that ran in this run keeps the reason why it ran, although its result is known now.

    :param own: ids of the jobs of this run; None when all jobs are.
    """
    ran = {(row.label, row.key): row for row in before if row.action in ("run", "done")}
    kept = []
    done: set[str] = set()
    for row in rows:
        # One that err_cmd recovered says so, whenever it ran.
        if row.action in ("reuse", "current") and row.reason != "recovered":
            old = ran.get((row.label, row.key))
            job = row.detail.rpartition("/")[2]
            if old is not None:
                row = old._replace(action="done", source="job")
            elif row.source == "job" and (own is None or job in own):
                # Of datums with the same content, one is computed.
                row = row._replace(**(_SAME if row.key in done else {"action": "done"}))
            if row.action == "done":
                done.add(row.key)
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


def parse_rows(text: str | bytes) -> list[DatumRow]:
    """Rows of datums in JSON text.

    :raises ValueError: when the text is no list of rows.
    """
    try:
        return [row for row in map(_parse_row, json.loads(text)) if row is not None]
    except (TypeError, RecursionError) as error:
        raise ValueError(f"these are no datums: {error}") from error


def _parse_pipeline(document: dict[str, Any]) -> PipelineRun:
    rows = map(_parse_row, document.pop("datums"))
    counts = dict(states_of_words(document.pop("counts")))
    return PipelineRun(**document, counts=counts, datums=[row for row in rows if row is not None])


def _parse_row(row: Sequence[Any]) -> DatumRow | None:
    if len(row) == 5:
        job = row[2] == "reuse" and str(row[4]).startswith("refs/tea/")
        row = [*row, "job" if job else None]
    return DatumRow(*row) if len(row) == 6 else None
