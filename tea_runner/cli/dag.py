"""``tea-runner dag``: the graph of the pipelines as text, Mermaid, DOT or SVG."""

from __future__ import annotations

import json
from pathlib import Path

import click

from tea_runner.cli.main import Context
from tea_runner.cli.open_dataset import open_dataset, report_problems
from tea_runner.cli.options import at_option, json_option
from tea_runner.cli.reading_progress import progress_line
from tea_runner.core.errors import NotFound
from tea_runner.core.pipeline import pfs_leaves
from tea_runner.dataset.local_clone import CloneDataset
from tea_runner.flow.check_freshness import check_freshness
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.pipeline_set import PipelineSet
from tea_runner.flow.unsaved_commit import unchecked_pipelines
from tea_runner.present.pipeline_graph import Box, dag_dot, dag_mermaid, dag_svg, dag_text


@click.command("dag")
@click.option("--mermaid", "form", flag_value="mermaid", help="Print Mermaid.")
@click.option("--md", "form", flag_value="md", help="Print Mermaid in a code block for Markdown.")
@click.option("--dot", "form", flag_value="dot", help="Print DOT for Graphviz.")
@click.option("--svg", "form", flag_value="svg", help="Print SVG.")
@click.option("--files", is_flag=True, help="Also draw the directories that pipelines read.")
@click.option("--counts", is_flag=True, help="Also show how many results are current.")
@at_option
@json_option
@click.pass_obj
def command(context: Context, form: str | None, files: bool, counts: bool, at: str) -> int:
    """Draw the pipelines and their inputs."""
    session = open_dataset(context)
    tip = session.tip(at)
    broken = report_problems(tip)
    pipelines = unchecked_pipelines(tip.tree)
    upstream = _upstream(pipelines, files=files)
    with progress_line(context, lambda: session.clone.repository.objects.reads):
        notes = _notes(session.clone, tip) if counts else {}
    if not pipelines.written:
        if broken:
            return 1
        raise NotFound("this dataset has no pipeline yet", hint="tea-runner init writes one")
    names = dict.fromkeys([*(each for reads in upstream.values() for each in reads), *upstream])
    boxes = [Box(name=name, note=notes.get(name, "")) for name in names]
    if context.as_json:
        homes = {pipeline.name: pipeline.home for pipeline in pipelines}
        rows = [
            {"name": name, "reads": upstream.get(name, []), "home": homes.get(name)}
            for name in names
        ]
        click.echo(json.dumps(rows, indent=1))
        return int(broken)
    mermaid = dag_mermaid(boxes, upstream)
    drawn = {
        "mermaid": lambda: mermaid,
        "md": lambda: f"```mermaid\n{mermaid}```",
        "dot": lambda: dag_dot(boxes, upstream),
        "svg": lambda: dag_svg(boxes, upstream, styled=True),
    }.get(form or "", lambda: "\n".join(dag_text(boxes, upstream)))()
    click.echo(drawn.rstrip("\n"))
    return int(broken)


def _upstream(pipelines: PipelineSet, *, files: bool) -> dict[str, list[str]]:
    """Inputs of each pipeline: names of pipelines, and directories with a slash at the end."""
    found: dict[str, list[str]] = {}
    for pipeline in pipelines:
        reads = found.setdefault(pipeline.name, [])
        for leaf in pfs_leaves(pipeline.input):
            other = pipelines.source_of(leaf)
            name = other.name if other else Path(leaf.repo).as_posix() + "/"
            if (other or files) and name not in reads:
                reads.append(name)
    return found


def _notes(dataset: CloneDataset, tip: CommitReader) -> dict[str, str]:
    notes = {}
    for each in check_freshness(dataset, tip):
        current = sum(datum.state in ("current", "recovered") for datum in each.datums)
        total = sum(datum.state != "orphaned" for datum in each.datums)
        notes[each.name] = each.problem or f"{current} current / {total}"
    return notes
