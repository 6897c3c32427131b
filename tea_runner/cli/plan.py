"""``tea-runner plan``: what a push of this commit would run, reuse or block, and why."""

from __future__ import annotations

import json
from collections.abc import Mapping

import click

from tea_runner.cli import complete_names, remote_plan_status_why
from tea_runner.cli.main import Context
from tea_runner.cli.next_ticks import next_tick_lines, next_ticks
from tea_runner.cli.open_dataset import check_names, open_dataset, report_remarks, report_unsaved
from tea_runner.cli.options import at_option, json_option, unsaved_option
from tea_runner.cli.reading_progress import progress_line
from tea_runner.core.planning.paused_or_unapproved_work import PlannedWork, WorkLimits, excess
from tea_runner.core.planning.plan import Plan
from tea_runner.core.spec.variable_values import all_values
from tea_runner.flow.make_plan import PlannedCommit
from tea_runner.flow.pipeline_remarks import pipeline_remarks
from tea_runner.present.plan_text import plan_json, plan_lines
from tea_runner.present.state_words import hold_sentence
from tea_runner.present.visible_text import visible
from tea_runner.wiring.schedule_clocks import clock_of_clone


@click.command("plan")
@click.argument("pipelines", nargs=-1, shell_complete=complete_names.pipelines)
@at_option
@click.option("--exit-code", is_flag=True, help="Exit with 4 when there is work to do.")
@click.option("--all", "everything", is_flag=True, help="List known datums too.")
@unsaved_option
@json_option
@click.pass_obj
def command(
    context: Context,
    pipelines: tuple[str, ...],
    at: str,
    exit_code: bool,
    everything: bool,
    unsaved: bool,
) -> int:
    """Show what a push would run, and why.

    Nothing is written or fetched.
    """
    if context.server is not None:
        remote_plan_status_why.ask(context.server, "plan", pipelines, as_json=context.as_json)
        return 0
    session = open_dataset(context)
    if unsaved:
        session.look_at_folder(at)
    with progress_line(context, lambda: session.clone.repository.objects.reads):
        planned = session.plan(at, pipelines, fetched=True)
    check_names(planned, pipelines)
    paths = session.unsaved(at)
    report_unsaved(context, paths)
    if context.as_json:
        remarks = pipeline_remarks(planned.tip, planned.works, pipelines).lines
        document = {
            **plan_json(planned.plan),
            "approval": _approval(context, planned.plan),
            "remarks": remarks,
            "unsaved": paths,
        }
        clock = clock_of_clone(context.site)
        document["variables"] = _variable_values(planned)
        document["next_ticks"] = next_ticks(session, clock, pipelines) if at == "HEAD" else {}
        click.echo(json.dumps(document, indent=1))
    elif not planned.plan.pipelines and not planned.plan.problems:
        click.echo("This dataset has no pipeline yet; tea-runner init writes one.")
    else:
        for line in plan_lines(planned.plan, everything=everything, quiet=context.quiet):
            click.echo(line)
        asks = _approval(context, planned.plan)
        if asks:
            click.echo(asks)
        for name, values in _variable_values(planned).items() if not context.quiet else ():
            click.echo(visible(f"variables: {name} {_assignments(values)}"))
        report_remarks(planned.tip, planned.works, pipelines, quiet=context.quiet)
        if at == "HEAD" and not context.quiet:
            for line in next_tick_lines(session, clock_of_clone(context.site), pipelines):
                click.echo(line)
    if planned.plan.problems:
        return 1
    return 4 if exit_code and planned.plan.has_work else 0


def _variable_values(planned: PlannedCommit) -> dict[str, dict[str, str]]:
    """The values of the variables of each pipeline that has some."""
    found = {}
    for name, inputs in planned.works.items():
        pipeline = inputs.pipeline
        if pipeline.variables:
            found[name] = all_values(pipeline.variables, dict(pipeline.given or ()))
    return found


def _assignments(values: Mapping[str, str]) -> str:
    """``year=2026 mode=fast``."""
    return " ".join(f"{name}={value}" for name, value in values.items())


def _approval(context: Context, plan: Plan) -> str:
    """Why a push of it would wait for an approval; empty when it would not."""
    limits = context.settings.limits
    work = [PlannedWork(row.pipeline.name, len(row.to_run)) for row in plan.pipelines]
    above = excess(work, WorkLimits(datums=limits.ask_above))
    return hold_sentence("approval-needed", above) if above else ""
