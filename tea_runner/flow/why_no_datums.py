"""Why a pipeline has no datums: globs that match nothing, or inputs without common values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from tea_runner.core.datums.enumerate import enumerate_datums
from tea_runner.core.pipeline import cron_leaves, pfs_leaves
from tea_runner.core.spec.source_position import input_keys
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.pipeline_datums import PipelineInputs


@dataclass(frozen=True, kw_only=True)
class NoDatumsReason:
    """One reason why there are none."""

    #: Field of the pipeline file.
    key: str
    problem: str
    hint: str


def why_no_datums(tip: CommitReader, inputs: PipelineInputs) -> Iterator[NoDatumsReason]:
    """The reasons; none if there are datums, if an input is gone, or if other pipelines make its files."""
    if inputs.datums:
        return
    pipeline, explained = inputs.pipeline, False
    for number, (leaf, key) in enumerate(
        zip(pfs_leaves(pipeline.input), input_keys(pipeline.input), strict=True)
    ):
        if tip.pipelines.source_of(leaf) is not None:
            explained = True  # Its files are made later.
            continue
        alone = replace(pipeline, input=leaf, output_path=None)
        if enumerate_datums(alone, {0: inputs.sources[number].listing}):
            continue
        explained = True
        if not inputs.locations[number].is_gone:
            yield NoDatumsReason(
                key=f"{key}.glob",
                problem=f"{leaf.glob} matches nothing in {leaf.repo}",
                hint="the pipeline has no datums; tea-runner datums lists them",
            )
    for schedule in cron_leaves(pipeline.input):
        if not schedule.ticks:
            explained = True
            yield NoDatumsReason(
                key="input",
                problem=f"the schedule {schedule.name} has not ticked yet",
                hint="tea-runner plan says when it will",
            )
    if not explained:
        yield NoDatumsReason(
            key="input",
            problem="the inputs have nothing in common: the pipeline has no datums",
            hint="see what join_on gives for each file",
        )
