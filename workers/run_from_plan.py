"""Run of a branch, as pages show it, from the result of planning it."""

from __future__ import annotations

import contextlib
from collections.abc import Container, Iterator
from itertools import islice
from typing import Any

from tea_runner.core.errors import TeaError
from tea_runner.core.pipeline import Pipeline, cron_leaves, pfs_leaves
from tea_runner.core.planning.plan import Decision
from tea_runner.core.planning.run import PipelineRun, Run, run_id, variable_rows
from tea_runner.core.planning.run_datum_states import DatumRow, states_of_words
from tea_runner.dataset.parse_commit import Commit
from tea_runner.flow.advance_outcome import BranchProgress, PipelineProgress
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.pipeline_remarks import pipeline_remarks
from tea_runner.flow.tracked_subdatasets import causes

#: Unchanged datums of one pipeline that a run lists; all others are listed, and all are counted.
_UNCHANGED = 500
#: Actions in the order in which datums are listed.
_ORDER = {"run": 0, "failed": 1, "wait": 2, "reuse": 3, "current": 4}


def summarize_run(
    repository: str,
    branch: str,
    pushed: Commit,
    result: BranchProgress,
    *,
    cause: str = "push",
    cancelled: Container[str] = (),
) -> Run:
    """The run of one push.

    :param pushed: the commit at the branch's tip when it was planned.
    :param cause: why it was planned.
    :param cancelled: keys of failed datums that somebody cancelled.
    """
    upstream: dict[str, list[str]] = {}
    homes: dict[str, str] = {}
    starts: dict[str, Pipeline] = {}
    if not result.problems:
        pipelines = result.planned.tip.pipelines
        upstream = {p.name: [other.name for other in pipelines.upstream(p)] for p in pipelines}
        homes = {p.name: p.home for p in pipelines}
        planned = {p.pipeline.name: p.pipeline for p in result.planned.works.values()}
        starts = {p.name: planned.get(p.name, p) for p in pipelines}
    moved = _moved_pins(result.planned.tip)
    remarks = pipeline_remarks(result.planned.tip, result.planned.works).by_pipeline
    return Run(
        id=run_id(repository, branch, result.origin),
        repository=repository,
        branch=branch,
        commit=result.origin,
        title=pushed.subject,
        author=pushed.author,
        cause=cause,
        results_branch=result.results_branch,
        approved_by=result.approved_by,
        pipelines=[
            PipelineRun(
                name=progress.pipeline,
                upstream=upstream.get(progress.pipeline, []),
                home=homes.get(progress.pipeline, ""),
                signer=result.planned.signers.get(progress.pipeline, ""),
                remark=remarks.get(progress.pipeline, ""),
                **_starts(starts.get(progress.pipeline)),
                state=progress.state,
                counts=dict(states_of_words(progress.counts)),
                reason=progress.reason or "",
                detail=progress.hold.detail if progress.hold is not None else progress.detail,
                commit=progress.commit,
                jobs=progress.jobs,
                datums=(rows := _rows(progress, cancelled)),
                unlisted=max(0, len(progress.decisions) - len(rows)),
            )
            for progress in result.pipelines.values()
        ],
        problems=list(result.problems),
        causes=moved[0],
        pins=moved[1],
    )


def _starts(pipeline: Pipeline | None) -> dict[str, Any]:
    """How a person can start a pipeline: its schedules and variables."""
    if pipeline is None:
        return {}
    return {
        "schedules": [each.name for each in cron_leaves(pipeline.input)],
        "triggers": [each.name for each in pfs_leaves(pipeline.input) if each.trigger],
        "variables": variable_rows(pipeline),
    }


def _moved_pins(tip: CommitReader) -> tuple[list[str], list[str]]:
    """Causes of a plan that moves pins, and the commits that they move to."""
    with contextlib.suppress(TeaError):
        subdatasets, pins = tip.tree.subdatasets, tip.tree.pins
        if subdatasets is not None and pins:
            named = {path: subdatasets.name(tip.tree.submodules[path]) for path in pins}
            moved = sorted(f"{named[path]}@{commit}" for path, commit in pins.items())
            return list(causes(tip, pins)), moved
    return [], []


def _rows(progress: PipelineProgress, cancelled: Container[str]) -> list[DatumRow]:
    """All datums with something to do, in the order of :data:`_ORDER`, and some unchanged ones."""
    datums = sorted(progress.moving, key=lambda datum: _ORDER.get(datum.action, 5))
    current: Iterator[Decision] = (
        datum for datum in progress.decisions if datum.action == "current"
    )
    if progress.plan is not None and progress.plan.recovered:
        # They are unchanged, too, and people want to find them: all are listed.
        current = iter(sorted(current, key=lambda datum: datum.reason != "recovered"))
        datums += islice(current, progress.plan.recovered.get("current", 0))
    datums += islice(current, _UNCHANGED)
    return [
        DatumRow(d.label, d.key, d.action, _reason(d, cancelled), d.detail, d.source)
        for d in datums
    ]


def _reason(datum: Decision, cancelled: Container[str]) -> str:
    return "cancelled" if datum.action == "failed" and datum.key in cancelled else datum.reason
