"""``tea-runner pause``: have no more jobs begin, of a pipeline, a repository or the whole server."""

from __future__ import annotations

import json

import click

from tea_runner.cli import remote_approve_and_pause
from tea_runner.cli.find_runs import echo_visible
from tea_runner.cli.main import Context
from tea_runner.cli.options import json_option
from tea_runner.core.deliveries.registered_webhook import is_repository_name
from tea_runner.core.errors import UsageError
from tea_runner.core.planning.approval_or_pause import Order
from tea_runner.flow import approve_pause_resume
from tea_runner.host.operator_name import operator_name
from tea_runner.present.human_units import moment
from tea_runner.present.json_documents import order_document


@click.command("pause")
@click.argument("repository", metavar="[OWNER/REPO]", default="")
@click.argument("pipeline", metavar="[PIPELINE]", default="")
@click.option("--all", "everything", is_flag=True, help="Pause the whole server.")
@click.option("--list", "listed", is_flag=True, help="List what is paused, and who paused it.")
@json_option
@click.pass_obj
def command(
    context: Context, repository: str, pipeline: str, everything: bool, listed: bool
) -> None:
    """Have no more jobs begin, of a pipeline, a repository or all.

    Jobs that run go on, and their results are published. Pushes are planned and wait; after tea-runner
    resume they catch up.
    """
    if listed:
        _list(context)
        return
    check_place(repository, pipeline, everything, verb="pause")
    if context.server is not None:
        remote_approve_and_pause.order(
            context.server, "pause", repository, pipeline, as_json=context.as_json
        )
        return
    tell(context, approve_pause_resume.pause(context.site, repository, pipeline, operator_name()))


def check_place(repository: str, pipeline: str, everything: bool, *, verb: str) -> None:
    """Check that exactly one thing is named.

    :raises UsageError: when it is not.
    """
    if everything == bool(repository):
        raise UsageError(
            f"name a repository, or give --all: tea-runner {verb} OWNER/REPO [PIPELINE]"
        )
    if repository and not is_repository_name(repository):
        raise UsageError(f"{repository!r} is not a repository", hint="expected OWNER/REPO")
    if pipeline and not repository:
        raise UsageError("a pipeline is of a repository", hint="name it before the pipeline")


def tell(context: Context, order: Order) -> None:
    """Print what was ordered."""
    if context.as_json:
        click.echo(json.dumps(order_document(order), indent=1))
        return
    echo_visible(f"{order.place} is {'paused' if order.kind == 'pause' else 'resumed'}")


def _list(context: Context) -> None:
    if context.server is not None:
        remote_approve_and_pause.list_pauses(context.server, as_json=context.as_json)
        return
    found = approve_pause_resume.pauses(context.site.orders.all())
    if context.as_json:
        click.echo(json.dumps([order_document(order) for order in found], indent=1))
        return
    for order in found:
        echo_visible(f"{order.place}  by {order.by}  {moment(order.at)}")
    if not found:
        click.echo("Nothing is paused.")
