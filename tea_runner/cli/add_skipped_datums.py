"""Unchanged datums that a run leaves out, read from the manifests of its results."""

from __future__ import annotations

from dataclasses import replace

from tea_runner.cli.main import Context
from tea_runner.core.planning.reasons import SENTENCES
from tea_runner.core.planning.run_status import DatumStatus, PipelineStatus, RunStatus
from tea_runner.dataset.forge_dataset import ForgeDataset
from tea_runner.flow.commit_reader import open_commit
from tea_runner.flow.planning_cache import PlanningCache
from tea_runner.flow.read_manifest import read_manifest


def with_unlisted_datums(context: Context, row: RunStatus) -> RunStatus:
    """The status of a run with all of its datums.

    The mirror of the repository is updated, and one manifest is read for each pipeline with datums that
    are not listed. They stay left out where the manifest has other datums than were counted, as that of a
    pipeline that published nothing and lost datums.

    :raises OutsideError: when the repository cannot be read.
    """
    if not any(pipeline.unlisted for pipeline in row.pipelines):
        return row
    dataset: ForgeDataset = context.site.repository(row.run.repository)
    try:
        dataset.refresh()
        pipelines = [_complete(dataset, row.run.commit, each) for each in row.pipelines]
    finally:
        dataset.close()
    return replace(row, pipelines=tuple(pipelines))


def _complete(dataset: ForgeDataset, pushed: str, pipeline: PipelineStatus) -> PipelineStatus:
    if not pipeline.unlisted:
        return pipeline
    tip = open_commit(dataset.objects, pipeline.commit or pushed, PlanningCache())
    listed = {datum.label for datum in pipeline.datums}
    found = [
        DatumStatus(
            label=known.datum,
            key=known.key,
            state="reused",
            reason="current",
            why=SENTENCES["current"],
        )
        for known in read_manifest(tip.tree, pipeline.home).rows
        if known.datum not in listed
    ]
    if len(found) != pipeline.unlisted:
        return pipeline
    return replace(pipeline, datums=(*pipeline.datums, *found), unlisted=0)
