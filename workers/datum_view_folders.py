"""How a command sees one datum: below ``/pfs`` as in Pachyderm, or at the paths of the dataset.

Both views provision the datum's folders, tell what to run, and collect what the command wrote.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Protocol

from tea_runner.core.datums.datum import Datum
from tea_runner.core.datums.environment_variables import env_file, variables
from tea_runner.core.datums.view import View, ViewFile
from tea_runner.core.pipeline import Pipeline, Resources, empty_inputs
from tea_runner.core.planning.plan import KeyedDatum
from tea_runner.core.results.command_placeholders import Paths, declared_outputs, fill_placeholders
from tea_runner.dataset.save_outputs import FileToSave
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.pipeline_datums import PipelineInputs
from tea_runner.host.openat import remove_tree
from tea_runner.host.world_readable_folder import make_world_readable_folder
from tea_runner.sandbox.execution_environment import (
    DEFAULT_SCRATCH,
    Environment,
    Execution,
    Limits,
    SandboxPaths,
)
from tea_runner.sandbox.pipeline_secrets import GivenSecrets
from tea_runner.sandbox.scan_outputs import OutputLimits
from workers.code_folder import CodeFolder
from workers.collect_outputs import collect, collect_declared
from workers.out_of_memory_retries import MemorySteps
from workers.run_command import lines
from workers.stage_inputs import GetContent, WriteBlob, make_code, make_view

#: Folder of the dataset's code, below that of the batch.
_CODE = "dataset"


@dataclass(frozen=True, kw_only=True)
class DatumBatch:
    """What all datums of one job share."""

    environment: Environment
    limits: Limits
    output_limits: OutputLimits
    network: bool
    tip: CommitReader
    inputs: PipelineInputs
    #: Annex keys to files with their content.
    content: Mapping[str, Path]
    get_content: GetContent
    write_blob: WriteBlob
    #: Below it, each datum's folders are made anew.
    folder: Path
    job_id: str
    write_log: Callable[[bytes], None]
    cancelled: Callable[[], bool]
    secrets: GivenSecrets
    memory: MemorySteps
    #: Numbers of the graphics processors that are reserved for the job.
    gpus: tuple[int, ...] = ()
    _code_folders: list[CodeFolder] = field(default_factory=list)

    def code_folder(self, pfs: str) -> CodeFolder:
        """The folder of the code of ``view: pfs``, for all datums.

        :param pfs: path of the inputs for the command.
        """
        if not self._code_folders:
            self._code_folders.append(CodeFolder(self.folder / _CODE, pfs))
        return self._code_folders[0]

    @property
    def pipeline(self) -> Pipeline:
        """The pipeline of the datums."""
        return self.inputs.pipeline

    @property
    def reserved_paths(self) -> frozenset[str]:
        """Paths of the dataset that are no results: the pipeline file and the code."""
        return frozenset({self.pipeline.spec_path, *self.inputs.code})

    def image(self) -> str:
        """The image of the environment: a name, or the path of a file."""
        if not self.inputs.image:
            return self.pipeline.transform.image
        found = self.tip.locate(self.inputs.image)
        fact = found.fact
        if fact.key is not None:
            return str(self.content[fact.key])
        file = self.folder / "image"
        if not file.exists():
            self.write_blob(found.dataset, fact.oid, file)
        return str(file)


@dataclass(frozen=True, kw_only=True)
class SelectedDatum:
    """One datum of a batch, with the files that its command sees."""

    datum: Datum
    item: KeyedDatum
    view: View


class DatumFolders(Protocol):
    """The folders of one datum."""

    def provision(self) -> Execution:
        """Make the folders and fill them; returns what to run in them."""
        ...

    def clear(self) -> None:
        """Remove what an attempt wrote, before the next one."""
        ...

    def collect(self) -> list[FileToSave]:
        """The files that the command wrote.

        :raises OutputRefused: naming what may not become a result.
        """
        ...


class PfsFolders:
    """``view: pfs``: inputs below ``/pfs``, outputs in ``/pfs/out``, code at ``/dataset``."""

    def __init__(self, batch: DatumBatch, selected: SelectedDatum) -> None:
        self._batch = batch
        self._selected = selected
        self._pfs = batch.folder / "pfs"
        self._out = batch.folder / "out"
        self._paths = batch.environment.paths(self._pfs, self._out, batch.folder / _CODE)
        self._code = batch.code_folder(self._paths.pfs)

    def provision(self) -> Execution:
        """Inputs and outputs are made anew; so is the code, if the datum before has changed it."""
        batch = self._batch
        remove_tree(batch.folder / "copies")
        remove_tree(self._out)
        make_world_readable_folder(self._out)
        execution = _execution(batch, self._selected, self._paths, code=self._code.path)
        self._fill(execution)
        return replace(execution, view=self._pfs, out=self._out, code_writable=True)

    def _fill(self, execution: Execution) -> None:
        """Write the inputs, the code and the file of variables."""
        batch = self._batch
        remove_tree(self._pfs)
        make_world_readable_folder(self._pfs)
        self._code.restore(
            lambda path: make_code(path, batch.inputs, batch.tip, batch.content, batch.write_blob)
        )
        view = self._selected.view
        make_view(self._pfs, batch.inputs, view, batch.content, batch.write_blob)
        if self._paths.out != f"{self._paths.pfs}/out":
            # Without a sandbox nothing is mounted there: $PFS/out leads to the outputs all the same.
            (self._pfs / "out").symlink_to(self._out)
        shown = {
            name: execution.env[name] for name in execution.env if name not in batch.secrets.env
        }
        (self._pfs / ".env").write_bytes(env_file(shown))
        (self._pfs / ".env").chmod(0o644)

    def clear(self) -> None:
        """Empty the outputs; make inputs and code as they were."""
        for child in self._out.iterdir():
            remove_tree(child)
        self._fill(_execution(self._batch, self._selected, self._paths, code=self._code.path))

    def collect(self) -> list[FileToSave]:
        """All files in the folder of outputs."""
        pipeline = self._batch.pipeline
        return collect(
            self._out,
            self._pfs,
            output_directory(pipeline, self._selected.item),
            bounds=self._batch.output_limits,
            reserved=self._batch.reserved_paths,
            pfs=self._paths.pfs,
            out_at=self._paths.out,
            from_input=self._stands_for,
        )

    def _stands_for(self, seen: str, path: str) -> FileToSave | None:
        """The output that a link to the placeholder of an input file is; None for other files."""
        shown = self._placeholders.get(seen)
        if shown is None:
            return None
        batch, at = self._batch, self._pfs / seen
        fact, dataset, _ = batch.inputs.sources[shown.input].locate(shown.path)
        if not dataset:
            return FileToSave(path, at, fact.content.size, False, same_as=fact)
        # This dataset knows no storage of a subdataset's keys: the content becomes its own.
        if fact.key is not None:
            file = batch.get_content(dataset, [fact.key])[fact.key]
        else:
            file = batch.folder / "linked" / fact.oid
            make_world_readable_folder(file.parent)
            batch.write_blob(dataset, fact.oid, file)
        return FileToSave(path, file, file.stat().st_size, False)

    @cached_property
    def _placeholders(self) -> Mapping[str, ViewFile]:
        """The files of ``empty_files`` inputs, by their path below ``/pfs``."""
        empty = empty_inputs(self._batch.pipeline.input)
        files = self._selected.view.files
        return {shown.visible: shown for shown in files if shown.input in empty}


class DatasetFolders:
    """``view: dataset``: code and inputs at their own paths, declared outputs beside them."""

    def __init__(self, batch: DatumBatch, selected: SelectedDatum) -> None:
        self._batch = batch
        self._selected = selected
        self._tree = batch.folder / "dataset"
        self._command_paths = Paths(
            inputs=batch.inputs.input_paths(selected.datum),
            outputs=declared_outputs(batch.pipeline, selected.datum),
        )

    def provision(self) -> Execution:
        """The command may write anywhere, so each datum gets a tree of its own."""
        self.clear()
        batch, transform = self._batch, self._batch.pipeline.transform
        paths = batch.environment.paths(None, None, self._tree)
        return replace(
            _execution(batch, self._selected, paths, code=self._tree),
            argv=fill_placeholders(transform.cmd, self._command_paths),
            stdin=lines(fill_placeholders(transform.stdin, self._command_paths)),
            code_writable=True,
        )

    def clear(self) -> None:
        """Make the whole tree anew."""
        batch = self._batch
        remove_tree(self._tree)
        make_code(self._tree, batch.inputs, batch.tip, batch.content, batch.write_blob)
        view = self._selected.view
        make_view(self._tree, batch.inputs, view, batch.content, batch.write_blob)
        make_world_readable_folder(self._tree / batch.pipeline.home)

    def collect(self) -> list[FileToSave]:
        """The declared outputs."""
        home, declared = self._batch.pipeline.home, self._command_paths.outputs
        return collect_declared(
            self._tree,
            home,
            declared,
            bounds=self._batch.output_limits,
            reserved=self._batch.reserved_paths,
        )


def output_directory(pipeline: Pipeline, item: KeyedDatum) -> str:
    """Where in the dataset the outputs of a datum go."""
    return "/".join(part for part in (pipeline.home, item.place) if part)


def _execution(
    batch: DatumBatch, selected: SelectedDatum, paths: SandboxPaths, *, code: Path
) -> Execution:
    """What is common to both views."""
    pipeline, transform = batch.pipeline, batch.pipeline.transform
    env = variables(
        pipeline,
        selected.datum,
        selected.view,
        batch.inputs.sources,
        key=selected.item.key,
        job=batch.job_id,
        commit=batch.tip.tree.commit,
        pfs=paths.pfs,
        dataset=paths.dataset,
    )
    return Execution(
        argv=transform.cmd,
        stdin=lines(transform.stdin),
        env={**env, **batch.secrets.env},
        secret_variables=frozenset(batch.secrets.env),
        mounts=batch.secrets.mounts,
        view=None,
        out=None,
        code=code,
        cwd=transform.working_dir,
        log=batch.write_log,
        limits=_lower_limits(batch, pipeline.limits),
        gpus=batch.gpus,
        network=batch.network and transform.network,
        image=batch.image(),
        cancelled=batch.cancelled,
    )


def _lower_limits(batch: DatumBatch, own: Resources) -> Limits:
    """The operator's limits, or lower ones of the pipeline."""
    limits = replace(
        batch.limits,
        memory=batch.memory.current,
        most_memory=batch.memory.most,
        cpus=own.cpu or batch.limits.cpus,
    )
    if own.disk is None:
        return limits
    return replace(
        limits,
        scratch=min(own.disk, limits.scratch or DEFAULT_SCRATCH),
        output_bytes=min(own.disk, limits.output_bytes or own.disk),
    )
