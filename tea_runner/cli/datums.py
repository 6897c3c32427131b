"""``tea-runner datums``: the datums of each pipeline with their keys."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click

from tea_runner.cli import complete_names
from tea_runner.cli.main import Context
from tea_runner.cli.open_dataset import (
    check_pipelines,
    open_dataset,
    report_problems,
    report_unsaved,
)
from tea_runner.cli.options import at_option, json_option, unsaved_option
from tea_runner.cli.read_resolved_file import read_resolved
from tea_runner.cli.reading_progress import progress_line
from tea_runner.core.datums.datum import Datum, shown_label
from tea_runner.core.errors import UserError
from tea_runner.core.planning.plan import KeyedDatum
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.pipeline_datums import PipelineInputs, derive_inputs
from tea_runner.flow.prefetch_facts import prefetch_facts
from tea_runner.flow.resolve_pipeline import seen_files
from tea_runner.present.visible_text import visible


@click.command("datums")
@click.argument("pipelines", nargs=-1, shell_complete=complete_names.pipelines)
@at_option
@click.option("--files", is_flag=True, help="Also list the files of each datum with their content.")
@click.option(
    "--from",
    "source",
    metavar="FILE",
    help="Compute the keys from a file written by tea-runner resolve.",
)
@unsaved_option
@json_option
@click.pass_obj
def command(
    context: Context,
    pipelines: tuple[str, ...],
    at: str,
    files: bool,
    source: str | None,
    unsaved: bool,
) -> int:
    """List datums and their keys.

    One line each: pipeline, datum, key. No content is fetched.
    """
    if source is not None:
        return _from_file(context, context.directory / source, pipelines)
    session = open_dataset(context)
    if unsaved:
        session.look_at_folder(at)
    tip = session.results_tip(at)
    check_pipelines(tip, pipelines)
    report_unsaved(context, session.unsaved(at))
    broken = report_problems(tip)
    pipeline_inputs = []
    with progress_line(context, lambda: session.clone.repository.objects.reads) as show:
        for pipeline in tip.pipelines:
            if pipelines and pipeline.name not in pipelines:
                continue
            show(pipeline.name)
            try:
                pipeline_inputs.append(derive_inputs(tip, pipeline))
            except UserError as error:
                broken = True
                click.echo(f"problem: {pipeline.name}: {visible(error.message)}", err=True)
    if context.as_json:
        rows = [row for inputs in pipeline_inputs for row in _rows(tip, inputs, files=files)]
        click.echo(json.dumps(rows, indent=1))
        return int(broken)
    for inputs in pipeline_inputs:
        lines = list(_lines(tip, inputs, files=files))
        if lines:
            click.echo("\n".join(lines))
        else:
            _report_none(
                context, inputs, [other.name for other in tip.pipelines.upstream(inputs.pipeline)]
            )
    if not pipeline_inputs and not broken:
        click.echo("This dataset has no pipeline yet; tea-runner init writes one.")
    return int(broken)


def _report_none(context: Context, inputs: PipelineInputs, upstream: list[str]) -> None:
    name = inputs.pipeline.name
    if context.quiet:
        return
    rest = f"; it reads {', '.join(upstream)}, see tea-runner status" if upstream else ""
    click.echo(f"{name} has no datums at this commit{rest}", err=True)


def _items(
    tip: CommitReader, inputs: PipelineInputs, *, files: bool
) -> Iterator[tuple[Datum, KeyedDatum]]:
    """All datums with their keys; facts about files are prefetched when files are shown."""
    datums = prefetch_facts(tip, inputs.datums, inputs.sources) if files else inputs.datums
    return zip(datums, inputs.keyed, strict=True)


def _lines(tip: CommitReader, inputs: PipelineInputs, *, files: bool) -> Iterator[str]:
    name = inputs.pipeline.name
    for datum, item in _items(tip, inputs, files=files):
        yield visible(f"{name} {shown_label(item.label)} {item.key}")
        if not files:
            continue
        for _, located in seen_files(inputs, datum):
            for each in located:
                content = each.seen.content
                yield f"  {visible(each.path)} {content or 'empty'}"


def _rows(tip: CommitReader, inputs: PipelineInputs, *, files: bool) -> Iterator[dict[str, object]]:
    for datum, item in _items(tip, inputs, files=files):
        row: dict[str, object] = {
            "pipeline": inputs.pipeline.name,
            "datum": item.label,
            "key": item.key,
            "place": item.place,
        }
        if files:
            row["files"] = [
                {
                    "input": seen.name,
                    "path": each.path,
                    "seen": each.seen.path,
                    "content": str(each.seen.content) if each.seen.content else None,
                    "size": each.seen.content.size if each.seen.content else 0,
                }
                for seen, located in seen_files(inputs, datum)
                for each in located
            ]
        yield row


def _from_file(context: Context, path: Path, pipelines: tuple[str, ...]) -> int:
    """Print the keys of a resolved file; the exit code is 1 when the file states other keys."""
    rows = [row for row in read_resolved(path) if not pipelines or row.pipeline in pipelines]
    if context.as_json:
        found = [{"pipeline": row.pipeline, "datum": row.datum, "key": row.key} for row in rows]
        click.echo(json.dumps(found, indent=1))
    elif rows:
        click.echo("\n".join(visible(f"{r.pipeline} {shown_label(r.datum)} {r.key}") for r in rows))
    other = [row for row in rows if row.key != row.stated]
    for row in other[:10]:
        what = f"{row.pipeline} {visible(shown_label(row.datum))}: {path} states another key: {row.stated}"
        click.echo(f"problem: {what}", err=True)
    return int(bool(other))
