"""``tea-runner status``: which results of the commit are current."""

from __future__ import annotations

import json

import click

from tea_runner.cli import complete_names, remote_plan_status_why
from tea_runner.cli.detached_run_text import detached_status
from tea_runner.cli.main import Context
from tea_runner.cli.open_dataset import (
    check_pipelines,
    open_dataset,
    report_problems,
    report_remarks,
    report_unsaved,
)
from tea_runner.cli.options import at_option, json_option, unsaved_option
from tea_runner.cli.reading_progress import progress_line
from tea_runner.flow.check_freshness import check_freshness
from tea_runner.flow.pipeline_datums import derive_inputs
from tea_runner.flow.pipeline_remarks import pipeline_remarks
from tea_runner.present.freshness_text import results_lines, results_rows
from tea_runner.present.visible_text import visible


@click.command("status")
@click.argument("pipelines", nargs=-1, shell_complete=complete_names.pipelines)
@at_option
@click.option("--all", "everything", is_flag=True, help="List current results too.")
@click.option("--exit-code", is_flag=True, help="Exit with 4 when a result is not current.")
@unsaved_option
@json_option
@click.pass_obj
def command(
    context: Context,
    pipelines: tuple[str, ...],
    at: str,
    everything: bool,
    exit_code: bool,
    unsaved: bool,
) -> int:
    """Show which results are current, stale or missing.

    Nothing is fetched or run. Orphaned results belong to a datum that no longer exists (the next run
    removes them) or to a removed pipeline (remove them with git rm). A detached run is told of first.
    """
    if context.server is not None:
        remote_plan_status_why.ask(context.server, "status", pipelines, as_json=context.as_json)
        return 0
    session = open_dataset(context)
    if unsaved:
        session.look_at_folder(at)
    tip = session.results_tip(at)
    check_pipelines(tip, pipelines)
    with progress_line(context, lambda: session.clone.repository.objects.reads) as show:
        results = check_freshness(
            session.clone,
            tip,
            pipelines,
            reuse_branches=session.reuse_branches,
            begin=show,
        )
    empty = {each.name for each in results if not each.datums and each.owned and not each.problem}
    works = {each.name: derive_inputs(tip, each) for each in tip.pipelines if each.name in empty}
    paths = session.unsaved(at)
    report_unsaved(context, paths)
    detached, line = detached_status(session)
    if line and not context.as_json:
        click.echo(visible(line))
    broken = report_problems(tip) or any(each.problem for each in results)
    if context.as_json:
        rows = results_rows(results)
        remarks = pipeline_remarks(tip, works, pipelines).lines
        document = {
            "commit": tip.tree.commit,
            "pipelines": rows,
            "remarks": remarks,
            "unsaved": paths,
            "detached": detached,
        }
        click.echo(json.dumps(document, indent=1))
    elif results:
        click.echo("\n".join(results_lines(results, everything=everything)))
        report_remarks(tip, works, pipelines)
    elif not broken:
        click.echo("This dataset has no pipeline yet; tea-runner init writes one.")
    if broken:
        return 1
    return 4 if exit_code and not all(each.current for each in results) else 0
