"""Computes datums of one pipeline, one after the other: provision, run the command, collect.

The caller must take a datum's files before it asks for the next, which uses the same folders.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tea_runner.core.datums.datum import shown_label
from tea_runner.core.errors import Cancelled, ContentMissing, JobError, OutsideError, TimedOut
from tea_runner.core.planning.plan import KeyedDatum
from tea_runner.dataset.save_outputs import FileToSave
from tea_runner.flow.commit_view import CommitView
from tea_runner.flow.pipeline_inputs import PipelineInputs
from tea_runner.flow.prefetch_facts import prefetch_facts
from tea_runner.host.fault_point import step
from tea_runner.present.visible_text import visible
from tea_runner.sandbox.pipeline_secrets import GivenSecrets
from tea_runner.sandbox.protocol import Environment, Limits
from tea_runner.sandbox.scan_outputs import OutputLimits
from workers.datum_folders import (
    DatasetFolders,
    DatumBatch,
    DatumFolders,
    PfsFolders,
    SelectedDatum,
    output_directory,
)
from workers.run_command import CommandRun, run_datum
from workers.stage_inputs import GetContent, WriteBlob, name_missing_files, wanted_keys

_NO_SECRETS = GivenSecrets()


@dataclass(frozen=True, kw_only=True)
class ComputedDatum:
    """How one datum ended: with files, or with an error."""

    item: KeyedDatum
    #: Where in the dataset its outputs go.
    directory: str
    command: CommandRun | None = None
    files: Sequence[FileToSave] = ()
    error: JobError | None = None


@dataclass(frozen=True, kw_only=True)
class DatumRunner:
    """Computes datums of one dataset in one environment."""

    environment: Environment
    limits: Limits
    output_limits: OutputLimits
    network: bool
    get_content: GetContent
    write_blob: WriteBlob

    def run(
        self,
        tip: CommitView,
        inputs: PipelineInputs,
        wanted: Sequence[tuple[str, str]],
        folder: Path,
        *,
        job_id: str,
        write_log: Callable[[bytes], None],
        cancelled: Callable[[], bool] = lambda: False,
        secrets: GivenSecrets = _NO_SECRETS,
    ) -> Iterator[ComputedDatum]:
        """Compute datums; one that fails ends with its error, and the others go on.

        :param wanted: (label, key) of each; an empty key is not compared.
        :param folder: an empty folder.
        :raises OutsideError: when the world failed, or a key is not the one that the planner derived.
        :raises Cancelled: when the job was stopped.
        """
        pipeline = inputs.pipeline
        selected = _select(tip, inputs, wanted)
        content: dict[str, Path] = {}
        views = [each.view for each in selected]
        for dataset, by_key in wanted_keys(inputs, views, tip).items():
            try:
                content.update(self.get_content(dataset, by_key))
            except ContentMissing as error:
                raise name_missing_files(error, by_key) from error
        batch = DatumBatch(
            environment=self.environment,
            limits=self.limits,
            output_limits=self.output_limits,
            network=self.network,
            tip=tip,
            inputs=inputs,
            content=content,
            get_content=self.get_content,
            write_blob=self.write_blob,
            folder=folder,
            job_id=job_id,
            write_log=write_log,
            cancelled=cancelled,
            secrets=secrets,
        )
        limit = pipeline.job_timeout
        end = None if limit is None else time.monotonic() + limit
        for each in selected:
            if len(selected) > 1:
                _log_line(write_log, f"datum {visible(shown_label(each.datum.label))}")
            directory = output_directory(pipeline, each.item)
            try:
                left = None if end is None else end - time.monotonic()
                if left is not None and left <= 0:
                    raise TimedOut(f"the job took longer than its job_timeout of {limit:g} s")
                command, files = _compute(batch, each, left)
            except Cancelled:
                raise
            except JobError as error:
                _log_line(write_log, error.message)
                yield ComputedDatum(item=each.item, directory=directory, error=error)
            else:
                yield ComputedDatum(
                    item=each.item, directory=directory, command=command, files=files
                )


def _select(
    tip: CommitView, inputs: PipelineInputs, wanted: Sequence[tuple[str, str]]
) -> list[SelectedDatum]:
    found = []
    for label, key in wanted:
        pair = inputs.find(label)
        if pair is None or key not in ("", pair[1].key):
            raise OutsideError(f"datum {label} has another key here than the planner found")
        found.append(pair)
    # The facts of all their files are read together.
    datums = prefetch_facts(tip, [datum for datum, _ in found], inputs.sources)
    views = [inputs.view(datum) for datum in datums]
    return [
        SelectedDatum(datum=datum, item=item, view=view)
        for (datum, item), view in zip(found, views, strict=True)
    ]


def _compute(
    batch: DatumBatch, selected: SelectedDatum, seconds: float | None
) -> tuple[CommandRun, list[FileToSave]]:
    """Provision a datum, run the command, and collect the outputs.

    :param seconds: left of the pipeline's ``job_timeout``; None for no limit.
    """
    kind = DatasetFolders if batch.pipeline.view == "dataset" else PfsFolders
    folders: DatumFolders = kind(batch, selected)
    with step("provision"):
        execution = folders.provision()
    with step("run"):
        command = run_datum(
            batch.pipeline,
            execution,
            batch.environment,
            clear=folders.clear,
            deadline=seconds,
        )
    with step("collect"):
        files = folders.collect() if command.how == "done" else []
    return command, files


def _log_line(write_log: Callable[[bytes], None], message: str) -> None:
    write_log(f"tea-runner: {message}\n".encode("utf-8", "backslashreplace"))
