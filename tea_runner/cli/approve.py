"""``tea-runner approve``: let a run compute more than ``limits.ask_above``."""

from __future__ import annotations

import json

import click

from tea_runner.cli import remote_approve_and_pause
from tea_runner.cli.find_runs import echo_visible, find_run
from tea_runner.cli.main import Context
from tea_runner.cli.options import json_option
from tea_runner.core.errors import UsageError
from tea_runner.core.planning.run_status import RunStatus
from tea_runner.flow import approve_pause_resume
from tea_runner.host.operator_name import operator_name
from tea_runner.present.json_documents import order_document


@click.command("approve")
@click.argument("name", metavar="RUN")
@json_option
@click.pass_obj
def command(context: Context, name: str) -> None:
    """Approve that a run computes more than limits.ask_above.

    The approval is for the pushed commit, with all of its pipelines; the next push asks again. Commits of
    pull requests are approved with tea-runner pr approve.
    """
    if context.server is not None:
        remote_approve_and_pause.approve(context.server, name, as_json=context.as_json)
        return
    found = find_run(context, name)
    if not isinstance(found, RunStatus):
        raise UsageError(f"{name} is a job", hint="name its run")
    order = approve_pause_resume.approve(context.site, found, operator_name())
    if context.as_json:
        click.echo(json.dumps(order_document(order), indent=1))
        return
    echo_visible(f"run {found.run.id} of {order.repository} {order.branch} is approved and starts")
