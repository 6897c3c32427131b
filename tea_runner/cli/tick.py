"""``tea-runner tick``: run what the schedules of pipelines are due for, on this machine."""

from __future__ import annotations

import click

from tea_runner.cli.main import Context
from tea_runner.cli.next_ticks import next_tick_lines
from tea_runner.cli.open_dataset import check_pipelines, open_dataset, report_problems
from tea_runner.cli.options import json_option
from tea_runner.cli.run import report_progress
from tea_runner.cli.run_locally import run_locally
from tea_runner.wiring.schedule_clocks import clock_of_clone


@click.command("tick")
@click.argument("pipelines", nargs=-1)
@json_option
@click.pass_obj
def command(context: Context, pipelines: tuple[str, ...]) -> int:
    """Run what the schedules of pipelines are due for.

    For a timer of cron or systemd on a machine without a server. A tick that is due is recorded in the
    clone before anything runs, and what was missed since the last call is caught up as the pipeline says.
    The rest is as with tea-runner run. Where nothing is due, only the time of the next tick is printed.
    """
    session = open_dataset(context)
    tip = session.tip()
    broken = report_problems(tip)
    if pipelines:
        check_pipelines(tip, pipelines)
    clock = clock_of_clone(context.site)
    advance = run_locally(session, pipelines, context.settings.worker.count, clock=clock)
    code = report_progress(context, advance, [])
    if not (context.quiet or context.as_json):
        for line in next_tick_lines(session, clock, pipelines):
            click.echo(line)
    return code or int(broken)
