"""Whether new ticks have made just what the results at a commit are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tea_runner.core.pipeline import Pipeline, cron_leaves
from tea_runner.core.planning.plan import PipelinePlan
from tea_runner.core.results.compose_commit import FinishedDatum
from tea_runner.core.results.manifest import Row
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.pipeline_datums import PipelineInputs, derive_inputs
from tea_runner.flow.read_manifest import read_manifest
from tea_runner.flow.tick_inputs import ticks_of_labels


def changes_nothing(
    tip: CommitReader,
    inputs: PipelineInputs,
    plan: PipelinePlan,
    finished: Sequence[FinishedDatum],
) -> bool:
    """Whether only ticks are new, and the outputs are those of the manifest.

    Without a schedule it costs nothing; else, where the outputs are the same, what it costs to derive
    the pipeline's keys.
    """
    name = inputs.pipeline.name
    schedules = cron_leaves(inputs.pipeline.input)
    if not any(tip.tree.ticks.get((name, each.name)) for each in schedules):
        return False
    if any(item.recomputed or item.edited for item in finished):
        return False
    before = read_manifest(tip.tree, inputs.pipeline.home)
    labels = [*plan.gone(before), *(item.label for item in finished)]
    former = [row for label in labels if (row := before.row(label)) is not None]
    if _files(former) != _files(item.row for item in finished):
        return False
    # Had there been no tick, all would be as the manifest says.
    then = derive_inputs(tip, ticks_of_labels(_as_written(tip, inputs.pipeline), before.by_datum))
    rows = {(row.datum, row.key, row.place) for row in before.rows}
    return rows == set(map(tuple, then.keyed)) and dict(before.parts) in ({}, then.parts)


def _as_written(tip: CommitReader, pipeline: Pipeline) -> Pipeline:
    return tip.pipelines.by_name[pipeline.name]


def _files(rows: Iterable[Row]) -> dict[str, str]:
    return {
        path: content
        for row in rows
        for path, content in zip(row.paths, row.contents or [""] * len(row.outputs), strict=True)
    }
