"""``tea-runner exec``: repeat datums of a run record in a clone; ``datalad rerun`` calls it."""

from __future__ import annotations

import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import click

from tea_runner.cli import complete_names
from tea_runner.cli.main import Context
from tea_runner.cli.open_dataset import OpenDataset, open_dataset
from tea_runner.core.datums.datum import shown_label
from tea_runner.core.errors import NotFound, UsageError
from tea_runner.core.git.annex_paths import link_target
from tea_runner.core.pipeline import Pipeline
from tea_runner.core.spec.datalad_containers import image_digest
from tea_runner.core.spec.parse import parse_specs
from tea_runner.core.spec.variable_values import check_values, read_assignments
from tea_runner.dataset.dataset_base import GitDataset
from tea_runner.dataset.save_outputs import FileToSave
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.pipeline_datums import PipelineInputs, derive_inputs
from tea_runner.flow.pipeline_set import UncheckedPipelineSet
from tea_runner.flow.resolve_variable_values import with_variables
from tea_runner.flow.tick_inputs import ticks_of_labels
from tea_runner.host.openat import remove_tree
from tea_runner.sandbox.execution_environment import Environment
from tea_runner.sandbox.unsandboxed import Unsandboxed
from workers.run_datums import DatumRunner


@click.command("exec")
@click.option(
    "--spec",
    metavar="BLOB:N",
    help="Git blob of the pipeline file, and the number of its document; that of the commit if it is left "
    "out.",
)
@click.option("--pipeline", "name", required=True, help="Name of the pipeline.")
@click.option(
    "--image",
    metavar="NAME@DIGEST",
    default="",
    help="The image, if the pipeline file names it without a digest.",
)
@click.option(
    "--var", "values", metavar="NAME=VALUE", multiple=True, help="Value of a variable; repeatable."
)
@click.argument("datums", nargs=-1, required=True, shell_complete=complete_names.datums)
@click.pass_obj
def command(
    context: Context,
    spec: str | None,
    name: str,
    image: str,
    values: tuple[str, ...],
    datums: tuple[str, ...],
) -> int:
    """Repeat datums of a run record; datalad rerun calls it.

    The outputs are written into the worktree. Run records of results commits call this command where
    tea-runner is installed; the pages of jobs whose results are not published show it.
    """
    session = open_dataset(context)
    tip = session.tip()
    pipeline = _pinned(session, tip, spec, name) if spec else tip.pipelines.find(name)
    if pipeline is None:
        raise NotFound(f"there is no pipeline {name} in this commit")
    if image:
        if not image_digest(image):
            raise UsageError(f"--image {image}: expected an image by its digest")
        transform = replace(pipeline.transform, image=image, image_tag=pipeline.transform.image)
        pipeline = replace(pipeline, transform=transform)
    given = check_values(pipeline.name, pipeline.variables, read_assignments(values))
    pipeline = with_variables(pipeline, dict(given))
    pinned = _pinned_view(tip, pipeline)
    inputs = derive_inputs(pinned, ticks_of_labels(pipeline, datums))
    missing = [label for label in datums if inputs.find(label) is None]
    if missing:
        raise NotFound(
            f"datum {shown_label(missing[0])} is not in this commit; its inputs were removed or renamed"
        )
    environment = environment_for(context, pipeline)
    _run_all(session, pinned, inputs, datums, environment)
    return 0


def environment_for(context: Context, pipeline: Pipeline) -> Environment:
    """The pipeline's environment by the settings; without bubblewrap no sandbox, with a warning."""
    if not pipeline.transform.image:
        problem = context.site.host.check()
        if problem:
            click.echo(f"tea-runner: running without a sandbox: {problem}", err=True)
            return Unsandboxed()
    environment: Environment = context.site.environment(pipeline)
    return environment


def _run_all(
    session: OpenDataset,
    tip: CommitReader,
    inputs: PipelineInputs,
    datums: tuple[str, ...],
    environment: Environment,
) -> None:
    made = datum_runner(session, tip, environment)
    base = Path(tempfile.mkdtemp(prefix="tea-exec-"))
    try:
        wanted = [(label, "") for label in datums]
        for computed in made.run(tip, inputs, wanted, base, job_id="exec", write_log=_to_stderr):
            if computed.error is not None:
                raise computed.error
            for item in computed.files:
                _put(session, "/".join(filter(None, (computed.directory, item.path))), item)
    finally:
        remove_tree(base)


def datum_runner(session: OpenDataset, tip: CommitReader, environment: Environment) -> DatumRunner:
    """A runner of the dataset's datums on this machine."""
    site = session.context.site
    return DatumRunner(
        environment=environment,
        limits=site.limits,
        output_limits=site.output_limits,
        network=site.settings.sandbox.network,
        get_content=lambda dataset, keys: (
            _dataset(session, tip, dataset).prepared_annex().get(keys)
        ),
        write_blob=lambda dataset, oid, path: _dataset(session, tip, dataset).repository.write_blob(
            oid, path, site.limits.git_file_size
        ),
    )


def _dataset(session: OpenDataset, tip: CommitReader, path: str) -> GitDataset:
    linked = tip.tree.resolve(path)[0].repository if path else None
    return linked if isinstance(linked, GitDataset) else session.clone


def _to_stderr(data: bytes) -> None:
    sys.stderr.buffer.write(data)
    sys.stderr.flush()


def _put(session: OpenDataset, path: str, item: FileToSave) -> None:
    target = session.clone.clone.worktree / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    if item.link:
        target.symlink_to(item.link)
    elif item.same_as is not None and item.same_as.key is not None:
        target.symlink_to(link_target(item.same_as.key, path))
    elif item.same_as is not None:
        session.clone.repository.write_blob(item.same_as.oid, target)
    else:
        shutil.copyfile(item.file, target)
        target.chmod(0o755 if item.executable else 0o644)


def _pinned(session: OpenDataset, tip: CommitReader, spec: str, name: str) -> Pipeline:
    blob, colon, number = spec.partition(":")
    if not colon or not number.isdigit():
        raise UsageError(f"--spec {spec}: expected BLOB:N as a run record writes it")
    data = session.clone.objects.blob(blob)
    if data is None:
        raise NotFound(
            f"pipeline file {blob[:12]} is not in this clone", hint="fetch its whole history"
        )
    current = tip.pipelines.find(name)
    path = current.spec_path if current else f"{name}/spec.yml"
    for pipeline in parse_specs(path, data, blob).pipelines:
        if pipeline.spec_document == int(number):
            return pipeline
    raise NotFound(f"document {number} of pipeline file {blob[:12]} is not a pipeline")


def _pinned_view(tip: CommitReader, pipeline: Pipeline) -> CommitReader:
    """The commit with one pipeline as it was recorded."""
    others = [other for other in tip.pipelines if other.name != pipeline.name]
    return CommitReader(tip.tree, lambda _: UncheckedPipelineSet([*others, pipeline]))
