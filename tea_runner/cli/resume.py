"""``tea-runner resume``: end a pause."""

from __future__ import annotations

import click

from tea_runner.cli import remote_approve_and_pause
from tea_runner.cli.main import Context
from tea_runner.cli.options import json_option
from tea_runner.cli.pause import check_place, tell
from tea_runner.flow import approve_pause_resume
from tea_runner.host.operator_name import operator_name


@click.command("resume")
@click.argument("repository", metavar="[OWNER/REPO]", default="")
@click.argument("pipeline", metavar="[PIPELINE]", default="")
@click.option("--all", "everything", is_flag=True, help="End the pause of the whole server.")
@json_option
@click.pass_obj
def command(context: Context, repository: str, pipeline: str, everything: bool) -> None:
    """End a pause; what waited begins.

    Each pause ends by itself: that of a repository does not end that of one of its pipelines.
    """
    check_place(repository, pipeline, everything, verb="resume")
    if context.server is not None:
        remote_approve_and_pause.order(
            context.server, "resume", repository, pipeline, as_json=context.as_json
        )
        return
    tell(context, approve_pause_resume.resume(context.site, repository, pipeline, operator_name()))
