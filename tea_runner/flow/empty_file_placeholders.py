"""Contents of input files that a command sees as empty placeholders (``empty_files``)."""

from __future__ import annotations

from collections.abc import Iterable

from tea_runner.core.datums.content_identity import Content
from tea_runner.core.pipeline import empty_inputs
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.pipeline_datums import PipelineInputs
from tea_runner.flow.prefetch_facts import prefetch_facts


def empty_file_contents(
    tip: CommitReader, work: PipelineInputs, labels: Iterable[str]
) -> set[Content]:
    """Contents of the dataset that outputs of these datums may have by links to placeholders.

    Nobody looked at the files: they are as available as they were.  The cost is proportional to the
    files of these datums, and nothing without ``empty_files``.
    """
    empty = empty_inputs(work.pipeline.input)
    if not empty:
        return set()
    contents = set()
    for datum in prefetch_facts(tip, map(work.datum, labels), work.sources):
        for shown in work.view(datum).files:
            source = work.sources[shown.input]
            found = source.locate(shown.path) if shown.input in empty else None
            if found is not None and not found.dataset:
                contents.add(found.fact.content)
    return contents
