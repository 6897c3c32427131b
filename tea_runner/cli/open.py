"""``tea-runner open``: the page of a run, a job or a repository."""

from __future__ import annotations

import json
import re

import click

from tea_runner.cli import complete_names
from tea_runner.cli.find_runs import find_run
from tea_runner.cli.main import Context
from tea_runner.cli.options import json_option
from tea_runner.core.deliveries.registered_webhook import is_repository_name
from tea_runner.core.planning.job_record import JobRecord

_RUN, _JOB = re.compile(r"[0-9a-f]{12}"), re.compile(r"[0-9a-f]{32}")


@click.command("open")
@click.argument(
    "name",
    metavar="[RUN|JOB|OWNER/REPO]",
    required=False,
    shell_complete=complete_names.runs_or_repositories,
)
@click.option("--print", "only_print", is_flag=True, help="Print the address only.")
@json_option
@click.pass_obj
def command(context: Context, name: str | None, only_print: bool) -> None:
    """Open the page of a run, a job or a repository.

    Without a name it is the list of repositories. The address is printed, too. It needs no
    connection to Redis for a whole id and for a repository.
    """
    address = context.settings.web_url + _path(context, name or "")
    click.echo(json.dumps({"url": address}) if context.as_json else address)
    if not only_print and not context.as_json:
        click.launch(address)


def _path(context: Context, name: str) -> str:
    if not name:
        return "/"
    if is_repository_name(name):
        return f"/repos/{name}"
    if _JOB.fullmatch(name):
        return f"/jobs/{name}"
    if _RUN.fullmatch(name):
        return f"/runs/{name}"
    found = find_run(context, name)
    return f"/jobs/{found.id}" if isinstance(found, JobRecord) else f"/runs/{found.run.id}"
