"""``tea-runner lineage``: inputs of a result, or results of an input, through all pipelines."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import click

from tea_runner.cli import complete_names, remote_plan_status_why
from tea_runner.cli.main import Context
from tea_runner.cli.open_dataset import OpenDataset, open_dataset, report_problems
from tea_runner.cli.options import at_option, json_option
from tea_runner.cli.reading_progress import progress_line
from tea_runner.core.errors import NotFound, UsageError
from tea_runner.core.planning.explanation import Made
from tea_runner.dataset.dataset_base import GitDataset
from tea_runner.dataset.path_history import last_writers
from tea_runner.dataset.prov_document import write_prov
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.read_other_commit import files_at, other_commit
from tea_runner.flow.signed_manifest_rows import row_signer
from tea_runner.flow.trace_lineage import LineageTracer
from tea_runner.present.lineage_text import down_lines, lineage_row, up_lines


@click.command("lineage")
@click.argument(
    "words", nargs=-1, required=True, metavar="PATH", shell_complete=complete_names.files
)
@at_option
@click.option("--downstream", is_flag=True, help="Trace to the results that were made from PATH.")
@click.option(
    "--prov",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write W3C PROV: .json or .provn, with extras .xml or .ttl.",
)
@json_option
@click.pass_obj
def command(
    context: Context, words: tuple[str, ...], at: str, downstream: bool, prov: Path | None
) -> int:
    """Trace a result to its inputs, or an input to results.

    Each step shows its datum, command, environment, inputs with content and commit, the commit with
    its run record, and the signer that proves its result. Steps are followed through pipelines and
    subdatasets.
    """
    if context.server is not None:
        remote_plan_status_why.ask(
            context.server,
            "lineage",
            words,
            as_json=context.as_json,
            downstream=downstream,
        )
        return 0
    if len(words) > 1:
        raise UsageError("name one file or folder", hint="tea-runner lineage PATH")
    path = words[0]
    session = open_dataset(context)
    tip = session.results_tip(at)
    broken = report_problems(tip)
    start = _path(session, context.directory, path)
    tracer = LineageTracer(
        lambda where, home: _records(session, where, home),
        other_commit,
        lambda where, home, row: row_signer(session.clone, where.tree, home, row),
    )
    with progress_line(context, lambda: session.clone.repository.objects.reads):
        paths = files_at(tip, start)
        found = tracer.down(tip, start) if downstream else tracer.up(tip, paths)
    if prov is not None:
        write_prov(found, prov if prov.is_absolute() else context.directory / prov)
    if context.as_json:
        click.echo(json.dumps(lineage_row(found), indent=1))
    else:
        for line in down_lines(found) if downstream else up_lines(found):
            click.echo(line)
    return int(broken)


def _path(session: OpenDataset, directory: Path, word: str) -> str:
    """A path as typed in *directory*, relative to the dataset."""
    top = session.clone.clone.worktree.resolve()
    full = Path(os.path.normpath(directory.resolve() / word))
    if not full.is_relative_to(top):
        raise NotFound(f"{word} is not in this dataset")
    start = full.relative_to(top).as_posix()
    return "" if start == "." else start


def _records(session: OpenDataset, tip: CommitReader, home: str) -> Mapping[str, Made]:
    """For each path below a directory, the commit that last wrote it."""
    linked = tip.tree.repository
    where = linked if isinstance(linked, GitDataset) else session.clone
    return last_writers(where.repository, tip.tree.commit, home)
