"""Datums of one pipeline in, what their commands left out, one after the other.

The caller takes each datum's files before it asks for the next: the folders are used again.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tea_runner.core.datums.datum import Datum
from tea_runner.core.datums.environment_variables import variables
from tea_runner.core.datums.view import View
from tea_runner.core.errors import Cancelled, JobError, OutsideError, TimedOut
from tea_runner.core.pipeline import Pipeline
from tea_runner.core.planning.plan import KeyedDatum
from tea_runner.core.results.dataset_command import Paths, declared_outputs, fill_placeholders
from tea_runner.dataset.save_outputs import FileToSave
from tea_runner.flow.commit_view import CommitView
from tea_runner.flow.pipeline_inputs import PipelineInputs
from tea_runner.flow.prefetch_facts import prefetch_facts
from tea_runner.host.openat import remove_tree
from tea_runner.host.step_hook import step
from tea_runner.sandbox.pipeline_secrets import GivenSecrets
from tea_runner.sandbox.protocol import Environment, Execution, Limits, SandboxPaths
from tea_runner.sandbox.scan_outputs import OutputLimits
from workers.collect_outputs import collect, collect_declared
from workers.provision import DatumFolders, GetContent, WriteBlob, make_code, make_view, wanted_keys
from workers.run_command import CommandRun, lines, run_datum

_NOTHING = GivenSecrets()


@dataclass(frozen=True, kw_only=True)
class ComputedDatum:
    """How one datum ended: with files, or with the error that says why not."""

    item: KeyedDatum
    #: Where in the dataset its outputs go.
    directory: str
    ran: CommandRun | None = None
    found: Sequence[FileToSave] = ()
    error: JobError | None = None


@dataclass(frozen=True, kw_only=True)
class DatumRunner:
    """Where datums of one dataset are computed, and within which limits."""

    environment: Environment
    limits: Limits
    bounds: OutputLimits
    network: bool
    get: GetContent
    write_blob: WriteBlob

    def run(
        self,
        tip: CommitView,
        work: PipelineInputs,
        wanted: Sequence[tuple[str, str]],
        base: Path,
        *,
        job: str,
        write: Callable[[bytes], None],
        cancelled: Callable[[], bool] = lambda: False,
        given: GivenSecrets = _NOTHING,
    ) -> Iterator[ComputedDatum]:
        """Compute datums below the empty folder *base*.

        :param wanted: (label, key) of each; an empty key is not compared.
        :param given: secrets of the pipeline.
        :raises OutsideError: when the world failed, or a key is not what the planner found.
        :raises Cancelled: when it was stopped.
        """
        chosen = []
        for label, key in wanted:
            each = work.find(label)
            if each is None or key not in ("", each[1].key):
                raise OutsideError(f"datum {label} has another key here than the planner found")
            chosen.append(each)
        datums = [datum for datum, _ in chosen]
        views = [work.view(datum) for datum in prefetch_facts(tip, datums, work.sources)]
        content: dict[str, Path] = {}
        for dataset, keys in wanted_keys(work, views, tip).items():
            content.update(self.get(dataset, keys))
        batch = _DatumBatch(tip, work, base, content, job, write, cancelled, given)
        prepare = self._in_dataset if work.pipeline.view == "dataset" else self._in_pfs
        limit = work.pipeline.job_timeout
        end = time.monotonic() + limit if limit is not None else None
        for (datum, item), view in zip(chosen, views, strict=True):
            if len(chosen) > 1:
                write(f"tea-runner: datum {datum.label}\n".encode("utf-8", "backslashreplace"))
            directory = "/".join(part for part in (work.pipeline.home, item.place) if part)
            try:
                left = None if end is None else end - time.monotonic()
                if left is not None and left <= 0:
                    raise TimedOut(f"the job took longer than its job_timeout of {limit:g} s")
                with step("provision"):
                    ready = prepare(batch, datum, view, item)
                with step("run"):
                    ran = run_datum(
                        work.pipeline,
                        ready.execution,
                        self.environment,
                        clear=ready.clear,
                        deadline=left,
                    )
                with step("collect"):
                    found = ready.collect() if ran.how == "done" else []
            except Cancelled:
                raise
            except JobError as error:
                write(f"tea-runner: {error.message}\n".encode("utf-8", "backslashreplace"))
                yield ComputedDatum(item=item, directory=directory, error=error)
            else:
                yield ComputedDatum(item=item, directory=directory, ran=ran, found=found)

    def _in_pfs(self, batch: _DatumBatch, datum: Datum, view: View, item: KeyedDatum) -> _Ready:
        """``view: pfs``: inputs below ``/pfs``, outputs in ``/pfs/out``, code at ``/dataset``."""
        work = batch.work
        room = DatumFolders(
            view=batch.base / "pfs", out=batch.base / "out", code=batch.base / "dataset"
        )
        for path in (room.view, room.out):
            remove_tree(path)
            path.mkdir(mode=0o755)
        if not room.code.exists():
            make_code(room.code, work, batch.tip, batch.content, self.write_blob)
        make_view(room.view, work, view, batch.content, self.write_blob)
        places = self.environment.paths(room.view, room.out, room.code)
        if places.out != f"{places.pfs}/out":
            # Without a sandbox nothing is mounted there: $PFS/out leads to the outputs all the same.
            (room.view / "out").symlink_to(room.out)
        execution = self._execution(batch, datum, view, item, places, code=room.code)
        execution = replace(execution, view=room.view, out=room.out)
        home = "/".join(part for part in (work.pipeline.home, item.place) if part)
        return _Ready(
            execution=execution,
            clear=functools.partial(_empty, room.out),
            collect=functools.partial(
                collect,
                room.out,
                room.view,
                home,
                bounds=self.bounds,
                reserved=frozenset({work.pipeline.spec_path, *work.code}),
                pfs=places.pfs,
                out_at=places.out,
            ),
        )

    def _in_dataset(self, batch: _DatumBatch, datum: Datum, view: View, item: KeyedDatum) -> _Ready:
        """``view: dataset``: code and inputs at their own paths, declared outputs beside them."""
        work, pipeline = batch.work, batch.work.pipeline
        tree = batch.base / "dataset"
        paths = Paths(inputs=work.input_paths(datum), outputs=declared_outputs(pipeline, datum))

        def fresh() -> None:
            remove_tree(tree)
            make_code(tree, work, batch.tip, batch.content, self.write_blob)
            make_view(tree, work, view, batch.content, self.write_blob)
            (tree / pipeline.home).mkdir(mode=0o755, parents=True, exist_ok=True)

        fresh()
        places = self.environment.paths(None, None, tree)
        execution = replace(
            self._execution(batch, datum, view, item, places, code=tree),
            argv=fill_placeholders(pipeline.transform.cmd, paths),
            stdin=lines(fill_placeholders(pipeline.transform.stdin, paths)),
            code_writable=True,
        )
        return _Ready(
            execution=execution,
            clear=fresh,
            collect=functools.partial(
                collect_declared, tree, pipeline.home, paths.outputs, bounds=self.bounds
            ),
        )

    def _image(self, batch: _DatumBatch) -> str:
        """What the environment is given: an image's name, or the file that it is."""
        work = batch.work
        if not work.image:
            return work.pipeline.transform.image
        fact = batch.tip.files.fact(work.image)
        if fact.key is not None:
            return str(batch.content[fact.key])
        file = batch.base / "image"
        if not file.exists():
            self.write_blob("", fact.oid, file)
        return str(file)

    def _execution(
        self,
        batch: _DatumBatch,
        datum: Datum,
        view: View,
        item: KeyedDatum,
        places: SandboxPaths,
        *,
        code: Path,
    ) -> Execution:
        pipeline = batch.work.pipeline
        env = variables(
            pipeline,
            datum,
            view,
            batch.work.sources,
            key=item.key,
            job=batch.job,
            commit=batch.tip.tree.commit,
            pfs=places.pfs,
            dataset=places.dataset,
        )
        return Execution(
            argv=pipeline.transform.cmd,
            stdin=lines(pipeline.transform.stdin),
            env={**env, **batch.given.env},
            mounts=batch.given.mounts,
            view=None,
            out=None,
            code=code,
            cwd=pipeline.transform.working_dir,
            log=batch.write,
            limits=_tightened(self.limits, pipeline),
            network=self.network and pipeline.transform.network,
            image=self._image(batch),
            cancelled=batch.cancelled,
        )


@dataclass(frozen=True)
class _DatumBatch:
    """What all datums of one call share."""

    tip: CommitView
    work: PipelineInputs
    base: Path
    content: Mapping[str, Path]
    job: str
    write: Callable[[bytes], None]
    cancelled: Callable[[], bool]
    given: GivenSecrets


@dataclass(frozen=True, kw_only=True)
class _Ready:
    """A datum that may be run: how, what to do between tries, how to take what it wrote."""

    execution: Execution
    clear: Callable[[], None]
    collect: Callable[[], list[FileToSave]]


def _tightened(limits: Limits, pipeline: Pipeline) -> Limits:
    """The operator's limits, or less where the pipeline asks for less."""
    said = pipeline.limits.memory
    if said is None or (limits.memory is not None and limits.memory <= said):
        return limits
    return replace(limits, memory=said)


def _empty(out: Path) -> None:
    for child in out.iterdir():
        remove_tree(child)
