"""Resolution of a pipeline at a commit: everything that its keys are made of."""

from __future__ import annotations

from collections.abc import Iterator

from tea_runner.core.datums.datum import Datum
from tea_runner.core.datums.datum_keys import VisibleFile, VisibleInput
from tea_runner.core.pipeline import Pipeline
from tea_runner.core.planning.resolved_pipeline_file import (
    Document,
    LocatedFile,
    datum_row,
    pipeline_row,
)
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.pipeline_datums import PipelineInputs, derive_inputs
from tea_runner.flow.pipeline_key_parts import environment_of
from tea_runner.flow.prefetch_facts import prefetch_facts


def resolve_spec(tip: CommitReader, pipeline: Pipeline) -> Document:
    """Everything that a run of this pipeline at this commit depends on.

    :raises UserError: when an input does not exist, or has content without a hash.
    """
    inputs = derive_inputs(tip, pipeline)
    code = []
    for path in inputs.code:
        fact = tip.fact(path)
        code.append(_located(VisibleFile(path, fact.executable, fact.content), path, fact.key))
    datums = [
        datum_row(item.label, item.key, item.place, list(seen_files(inputs, datum)))
        for datum, item in zip(
            prefetch_facts(tip, inputs.datums, inputs.sources), inputs.keyed, strict=True
        )
    ]
    return pipeline_row(inputs.pipeline, environment_of(tip, inputs.pipeline)[1], code, datums)


def seen_files(
    inputs: PipelineInputs, datum: Datum
) -> Iterator[tuple[VisibleInput, list[LocatedFile]]]:
    """Each input of a datum, with its files as the command sees them and in the dataset."""
    view = inputs.view(datum)
    shown_as = {shown.visible: shown for shown in view.files}
    for seen in view.inputs:
        located = []
        for file in seen.files:
            shown = shown_as[file.path]
            found = inputs.sources[shown.input].locate(shown.path)
            located.append(_located(file, found.path, found.fact.key))
        yield seen, located


def _located(seen: VisibleFile, path: str, key: str | None) -> LocatedFile:
    return LocatedFile(seen=seen, path=path, key=key or "")
