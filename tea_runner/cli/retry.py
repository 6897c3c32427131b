"""``tea-runner retry``: run failed and cancelled datums again."""

from __future__ import annotations

import json

import click

from tea_runner.cli import complete_names, remote_runs
from tea_runner.cli.find_runs import find_run
from tea_runner.cli.main import Context
from tea_runner.cli.options import json_option
from tea_runner.flow import cancel_retry_recompute
from tea_runner.host.operator_name import operator_name


@click.command("retry")
@click.argument("name", metavar="RUN|JOB", shell_complete=complete_names.runs_or_jobs)
@json_option
@click.pass_obj
def command(context: Context, name: str) -> None:
    """Run failed, cancelled and waiting datums again, now.

    Of a run or of a job: those that failed or were cancelled, that lack content, and that wait for
    their next try. Known results are kept. A branch that was stopped because it does not settle goes
    on.
    """
    if context.server is not None:
        remote_runs.retry(context.server, name, as_json=context.as_json)
        return
    found = find_run(context, name)
    done = cancel_retry_recompute.retry(context.site, found, operator_name())
    if context.as_json:
        document = {
            "repository": done.repository,
            "branch": done.branch,
            "retried": done.datums,
            "run": done.run.id if done.run is not None else "",
        }
        click.echo(json.dumps(document, indent=1))
    elif done.datums:
        what = "1 datum" if done.datums == 1 else f"{done.datums} datums"
        in_run = f" in run {done.run.id}" if done.run is not None else ""
        click.echo(f"{what} will run again{in_run}; {done.repository} {done.branch} is planned now")
    else:
        click.echo(
            f"No datum has failed or waits; {done.repository} {done.branch} is planned again"
        )
