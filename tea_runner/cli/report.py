"""``tea-runner report``: a run as one HTML file, to be kept."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import click

from tea_runner import __version__
from tea_runner.cli import complete_names
from tea_runner.cli.find_runs import find_run
from tea_runner.cli.main import Context
from tea_runner.cli.options import json_option
from tea_runner.core.errors import OutsideError, UsageError
from tea_runner.core.planning.job_record import JobRecord
from tea_runner.core.planning.run_status import PipelineStatus, RunStatus
from tea_runner.dataset.forge_dataset import ForgeDataset
from tea_runner.flow.commit_reader import CommitReader, open_commit
from tea_runner.flow.planning_cache import PlanningCache
from tea_runner.flow.read_manifest import read_manifest
from tea_runner.present.run_report import ReportPicture, picture_type, run_report

#: Pictures in a report, and the largest of them in bytes.
_PICTURES, _LARGEST = 48, 1 << 20


@click.command("report")
@click.argument("run", metavar="RUN", shell_complete=complete_names.runs)
@click.option(
    "--html",
    "file",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    required=True,
    help="File to write; - for standard output.",
)
@json_option
@click.pass_obj
def command(context: Context, run: str, file: Path) -> None:
    """Write a run as one HTML file.

    It holds the graph, the datums with times and sizes, jobs by worker, and the pictures among new
    results that git holds. It needs no server and no network, and runs no script.
    """
    found = find_run(context, run)
    if isinstance(found, JobRecord):
        raise UsageError(f"{run} is a job", hint="tea-runner show names its run")
    site = context.site
    ids = [job for row in found.pipelines for job in row.jobs]
    measures = {row.key: row for rows in site.measures.get(ids).values() for row in rows}
    text = run_report(
        found,
        site.jobs.facts(ids),
        measures,
        list(_pictures(context, found)),
        version=__version__,
        now=time.time(),
    )
    data = text.encode("utf-8", "replace")
    if str(file) == "-":
        click.echo(data, nl=False)
        return
    file.write_bytes(data)
    if context.as_json:
        click.echo(json.dumps({"written": str(file), "bytes": len(data)}))
    elif not context.quiet:
        click.echo(f"{file} written: {len(data):,} bytes", err=True)


def _pictures(context: Context, found: RunStatus) -> Iterator[ReportPicture]:
    """Pictures that the run has computed; none where the forge does not answer."""
    if not any(row.commit for row in found.pipelines):
        return
    dataset: ForgeDataset = context.site.repository(found.run.repository)
    left = _PICTURES
    try:
        dataset.refresh()
        for row in found.pipelines:
            if row.commit:
                for picture in _of_pipeline(dataset, row):
                    yield picture
                    left -= 1
                    if not left:
                        return
    except OutsideError as error:
        click.echo(f"without pictures: {error.message}", err=True)
    finally:
        dataset.close()


def _of_pipeline(dataset: ForgeDataset, row: PipelineStatus) -> Iterator[ReportPicture]:
    tip = open_commit(dataset.objects, row.commit, PlanningCache())
    manifest = read_manifest(tip.tree, row.home)
    for datum in row.datums:
        known = manifest.row(datum.label) if datum.state == "done" else None
        if known is None:
            continue
        for path, size in zip(known.paths, known.sizes, strict=False):
            whole = f"{row.home}/{path}" if row.home else path
            if picture_type(path) and size <= _LARGEST:
                data = _content(dataset, tip, whole)
                if data is not None:
                    yield ReportPicture(path=whole, data=data)


def _content(dataset: ForgeDataset, tip: CommitReader, path: str) -> bytes | None:
    """Content of a file that git holds; None for a pointer to annexed content, and for all else."""
    entry = tip.tree.entry(path)
    if entry is None or entry.mode not in (0o100644, 0o100755):
        return None
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "picture"
        # The mirror has small files only; this one may have to be fetched.
        dataset.repository.write_blob(entry.oid, file, _LARGEST)
        data = file.read_bytes()
    return None if data.startswith(b"/annex/objects/") else data
