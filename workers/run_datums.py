"""Computes datums of one pipeline, one after the other: provision, run the command, collect.

The caller must take a datum's files before it asks for the next, which uses the same folders.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tea_runner.core.datums.datum import shown_label
from tea_runner.core.errors import Cancelled, ContentMissing, JobError, OutsideError, TimedOut
from tea_runner.core.planning.datum_measures import DatumMeasures
from tea_runner.core.planning.job_and_datum_details import MOST_FILES
from tea_runner.core.planning.plan import KeyedDatum
from tea_runner.core.redact import Redactor
from tea_runner.dataset.save_outputs import FileToSave
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.pipeline_datums import PipelineInputs
from tea_runner.flow.prefetch_facts import prefetch_facts
from tea_runner.host.fault_point import step
from tea_runner.host.resource_ledger import Reservation
from tea_runner.present.visible_text import visible
from tea_runner.sandbox.execution_environment import Environment, Execution, Limits
from tea_runner.sandbox.pipeline_secrets import GivenSecrets
from tea_runner.sandbox.scan_outputs import OutputLimits
from workers.datum_view_folders import (
    DatasetFolders,
    DatumBatch,
    DatumFolders,
    PfsFolders,
    SelectedDatum,
    output_directory,
)
from workers.out_of_memory_retries import MemorySteps
from workers.run_command import CommandRun, CommandUse, run_datum
from workers.stage_inputs import GetContent, WriteBlob, name_missing_files, wanted_keys

_NO_SECRETS = GivenSecrets()


@dataclass(frozen=True, kw_only=True)
class ComputedDatum:
    """How one datum ended: with files, with an error, or before it began, without its content."""

    item: KeyedDatum
    #: Where in the dataset its outputs go.
    directory: str
    command: CommandRun | None = None
    files: Sequence[FileToSave] = ()
    error: JobError | None = None
    #: Why it did not begin: content of its inputs is in no storage.
    missing: ContentMissing | None = None
    #: What its commands used, and bytes of its inputs.
    use: CommandUse = field(default_factory=CommandUse)
    read: int | None = None
    #: Paths of its inputs in the dataset with their sizes, as many as pages show.
    inputs: Sequence[tuple[str, int]] = ()

    @property
    def measures(self) -> DatumMeasures:
        """What was measured, for pages."""
        use = self.use
        return DatumMeasures(
            key=self.item.key,
            seconds=round(use.seconds, 3) if use.seconds else None,
            cpu=None if use.cpu is None else round(use.cpu, 2),
            memory=use.memory,
            read=self.read,
            written=sum(file.size for file in self.files) if self.command else None,
            raised_memory=use.raised_memory,
        )


@dataclass(frozen=True, kw_only=True)
class DatumRunner:
    """Computes datums of one dataset in one environment."""

    environment: Environment
    limits: Limits
    output_limits: OutputLimits
    network: bool
    get_content: GetContent
    write_blob: WriteBlob
    #: What is reserved for the job.
    reservation: Reservation = field(default_factory=Reservation)
    #: Takes secrets out of what errors repeat of a command's output.
    redactor: Redactor = field(default_factory=Redactor)

    def run(
        self,
        tip: CommitReader,
        inputs: PipelineInputs,
        wanted: Sequence[tuple[str, str]],
        folder: Path,
        *,
        job_id: str,
        write_log: Callable[[bytes], None],
        cancelled: Callable[[], bool] = lambda: False,
        secrets: GivenSecrets = _NO_SECRETS,
    ) -> Iterator[ComputedDatum]:
        """Compute datums; one that fails or has no content ends with its error, and the others go on.

        :param wanted: (label, key) of each; an empty key is not compared.
        :param folder: an empty folder.
        :raises ContentMissing: when none of them has its content, or that of the code is missing.
        :raises OutsideError: when the world failed, or a key is not the one that the planner derived.
        :raises Cancelled: when the job was stopped.
        """
        pipeline = inputs.pipeline
        selected = _select(tip, inputs, wanted)
        content, missing = self._get_content(tip, inputs, selected)
        batch = self._batch(tip, inputs, content, folder, job_id, write_log, cancelled, secrets)
        limit = pipeline.job_timeout
        end = None if limit is None else time.monotonic() + limit
        for each in selected:
            if len(selected) > 1:
                _log_line(write_log, f"datum {visible(shown_label(each.datum.label))}")
            directory = output_directory(pipeline, each.item)
            if each.item.label in missing:
                absent = missing[each.item.label]
                _log_line(write_log, absent.message)
                yield ComputedDatum(item=each.item, directory=directory, missing=absent)
                continue
            use = CommandUse()
            ended = ComputedDatum(
                item=each.item,
                directory=directory,
                use=use,
                read=_size(inputs, each),
                inputs=_shown(inputs, each),
            )
            try:
                left = None if end is None else end - time.monotonic()
                if left is not None and left <= 0:
                    raise TimedOut(f"the job took longer than its job_timeout of {limit:g} s")
                command, files = _compute(batch, each, left, self.redactor, use)
            except Cancelled:
                raise
            except JobError as error:
                _log_line(write_log, error.message)
                yield replace(ended, error=error)
            else:
                yield replace(ended, command=command, files=files)

    def provision(
        self,
        tip: CommitReader,
        inputs: PipelineInputs,
        wanted: tuple[str, str],
        folder: Path,
        *,
        job_id: str,
        secrets: GivenSecrets = _NO_SECRETS,
    ) -> Execution:
        """Make the folders of one datum and run nothing; returns what would run in them.

        :param wanted: label and key.
        :raises ContentMissing: when an input has no content.
        :raises OutsideError: as :meth:`run`.
        """
        selected = _select(tip, inputs, [wanted])
        content, missing = self._get_content(tip, inputs, selected)
        for error in missing.values():
            raise error
        batch = self._batch(
            tip, inputs, content, folder, job_id, lambda _: None, lambda: False, secrets
        )
        return _folders(batch, selected[0]).provision()

    def _batch(
        self,
        tip: CommitReader,
        inputs: PipelineInputs,
        content: Mapping[str, Path],
        folder: Path,
        job_id: str,
        write_log: Callable[[bytes], None],
        cancelled: Callable[[], bool],
        secrets: GivenSecrets,
    ) -> DatumBatch:
        return DatumBatch(
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
            memory=MemorySteps(inputs.pipeline, self.limits.memory, self.reservation, cancelled),
            gpus=self.reservation.gpus,
        )

    def _get_content(
        self, tip: CommitReader, inputs: PipelineInputs, selected: Sequence[SelectedDatum]
    ) -> tuple[dict[str, Path], dict[str, ContentMissing]]:
        """Files with content by annex key; labels of the datums without content, with the error."""
        content: dict[str, Path] = {}
        errors: dict[str, ContentMissing] = {}
        for dataset, by_key in wanted_keys(inputs, [each.view for each in selected], tip).items():
            try:
                content.update(self.get_content(dataset, by_key))
            except ContentMissing as error:
                errors[dataset] = error
                first = name_missing_files(error, by_key)
                rest = by_key.keys() - set(error.keys)
                if rest:
                    content.update(self.get_content(dataset, [k for k in by_key if k in rest]))
        if not errors:
            return content, {}
        shared = wanted_keys(inputs, (), tip)
        missing: dict[str, ContentMissing] = {}
        for each in selected:
            own = wanted_keys(inputs, [each.view], tip)
            absent = _missing_of(own, errors)
            if absent is not None:
                missing[each.item.label] = absent
        if len(missing) == len(selected) or _missing_of(shared, errors) is not None:
            raise first from next(iter(errors.values()))
        return content, missing


def _shown(inputs: PipelineInputs, selected: SelectedDatum) -> list[tuple[str, int]]:
    """Paths and sizes of the first files of a datum's inputs."""
    found = []
    for each in selected.view.files[: MOST_FILES + 1]:
        place = inputs.sources[each.input].locate(each.path)
        found.append((place.path, max(0, place.fact.content.size)))
    return found


def _size(inputs: PipelineInputs, selected: SelectedDatum) -> int:
    """Bytes of a datum's inputs."""
    facts = (inputs.sources[each.input].fact(each.path) for each in selected.view.files)
    return sum(max(0, fact.content.size) for fact in facts)


def _missing_of(
    wanted: Mapping[str, Mapping[str, str]], errors: Mapping[str, ContentMissing]
) -> ContentMissing | None:
    """The error that concerns some of these keys, with their files' names."""
    for dataset, error in errors.items():
        by_key = wanted.get(dataset, {})
        keys = tuple(key for key in error.keys if key in by_key)
        if keys:
            here = ContentMissing(
                error.message, keys, storages=error.storages, reasons=error.reasons
            )
            return name_missing_files(here, by_key)
    return None


def _select(
    tip: CommitReader, inputs: PipelineInputs, wanted: Sequence[tuple[str, str]]
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


def _folders(batch: DatumBatch, selected: SelectedDatum) -> DatumFolders:
    kind = DatasetFolders if batch.pipeline.view == "dataset" else PfsFolders
    return kind(batch, selected)


def _compute(
    batch: DatumBatch,
    selected: SelectedDatum,
    seconds: float | None,
    redactor: Redactor,
    use: CommandUse,
) -> tuple[CommandRun, list[FileToSave]]:
    """Provision a datum, run the command, and collect the outputs.

    :param seconds: left of the pipeline's ``job_timeout``; None for no limit.
    :param use: what the commands use is added to it.
    """
    folders = _folders(batch, selected)
    with step("provision"):
        execution = folders.provision()
    with step("run"):
        command = run_datum(
            batch.pipeline,
            execution,
            batch.environment,
            clear=folders.clear,
            deadline=seconds,
            redactor=redactor,
            use=use,
            more_memory=batch.memory.more,
        )
    with step("collect"):
        files = folders.collect() if command.how == "done" else []
    return command, files


def _log_line(write_log: Callable[[bytes], None], message: str) -> None:
    write_log(f"tea-runner: {message}\n".encode("utf-8", "backslashreplace"))
