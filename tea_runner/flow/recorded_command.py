"""Commands of run records, and the files of the dataset that they read by their git blobs.

Text that is too long for a shell is in such a file: no file of the work tree takes its place, and it
travels with the results.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace

from tea_runner.core.git.hash_object import object_id
from tea_runner.core.git.tree import PLAIN
from tea_runner.core.results.command_placeholders import Paths, declared_outputs, record_text
from tea_runner.core.results.compose_commit import Composition, FinishedDatum, NewEntry
from tea_runner.core.results.run_record import RecordedCommand
from tea_runner.flow import pfs_view_command
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.pipeline_datums import PipelineInputs


def command_of(
    tip: CommitReader, inputs: PipelineInputs, program: str = ""
) -> Callable[[Sequence[FinishedDatum]], RecordedCommand]:
    """What makes the command of a run record.

    With ``view: dataset`` and without a container, the command runs by itself in a clone.

    :param program: id of the program that other records execute; that of this release by default.
    """
    if inputs.pipeline.view == "dataset" and not inputs.pipeline.transform.image:
        return functools.partial(_shell_text, tip, inputs)
    return functools.partial(pfs_view_command.recorded_command, tip, inputs, program=program)


def with_attached_files(tip: CommitReader, composition: Composition) -> Composition:
    """Add the files that records read to the commits, where the dataset does not have them."""
    wanted = {path: data for step in composition.steps for path, data in step.record.attached}
    rest = dict(composition.rest)
    for path, data in wanted.items():
        entry = tip.tree.entry(path)
        if entry is None or (entry.mode, entry.oid) != (PLAIN, object_id("blob", data)):
            rest[path] = NewEntry(PLAIN, data=data)
    return replace(composition, rest=rest)


def _shell_text(
    tip: CommitReader, inputs: PipelineInputs, group: Sequence[FinishedDatum]
) -> RecordedCommand:
    texts = []
    for item in group:
        datum = inputs.datum(item.label)
        paths = Paths(inputs=item.inputs, outputs=declared_outputs(inputs.pipeline, datum))
        texts.append(record_text(inputs.pipeline, paths, inputs.view(datum).paths))
    text = texts[0] if len(texts) == 1 else " && ".join(f"( {text} )" for text in texts)
    return pfs_view_command.short_command(tip, text)
