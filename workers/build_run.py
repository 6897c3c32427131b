"""Run of a branch, as pages show it, from the result of planning it."""

from __future__ import annotations

from itertools import islice

from tea_runner.core.planning.run import DatumRow, PipelineRun, Run, run_id
from tea_runner.dataset.parse_commit import Commit
from tea_runner.flow.branch_outcome import BranchProgress, PipelineProgress

#: Datums of one pipeline that a run lists; its counts are of all.
_LISTED = 500
#: Actions in the order in which datums are listed.
_ORDER = {"run": 0, "failed": 1, "wait": 2, "reuse": 3, "current": 4}


def summarize_run(repository: str, branch: str, pushed: Commit, result: BranchProgress) -> Run:
    """The run of one push.

    :param pushed: the commit at the branch's tip when it was planned.
    """
    upstream: dict[str, list[str]] = {}
    homes: dict[str, str] = {}
    if not result.problems:
        pipelines = result.planned.tip.pipelines
        upstream = {p.name: [other.name for other in pipelines.upstream(p)] for p in pipelines}
        homes = {p.name: p.home for p in pipelines}
    return Run(
        id=run_id(repository, branch, result.origin),
        repository=repository,
        branch=branch,
        commit=result.origin,
        title=pushed.subject,
        author=pushed.author,
        pipelines=[
            PipelineRun(
                name=progress.pipeline,
                upstream=upstream.get(progress.pipeline, []),
                home=homes.get(progress.pipeline, ""),
                signer=result.planned.signers.get(progress.pipeline, ""),
                state=progress.state,
                counts=dict(progress.counts),
                reason=progress.reason or "",
                detail=progress.detail,
                commit=progress.commit,
                jobs=progress.jobs,
                datums=_rows(progress),
            )
            for progress in result.pipelines.values()
        ],
        problems=list(result.problems),
    )


def _rows(progress: PipelineProgress) -> list[DatumRow]:
    """The datums to list: first those with something to do."""
    datums = sorted(progress.moving, key=lambda datum: _ORDER.get(datum.action, 5))[:_LISTED]
    current = (datum for datum in progress.decisions if datum.action == "current")
    datums += islice(current, _LISTED - len(datums))
    return [DatumRow(d.label, d.key, d.action, d.reason, d.detail, d.source) for d in datums]
