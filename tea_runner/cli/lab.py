"""``tea-runner lab``: a server with a Gitea and a MinIO on this host, until Ctrl-C."""

from __future__ import annotations

import shlex
import signal
import threading
from functools import partial

import click

from tea_runner.cli.lab_example import REPOSITORY, push_example
from tea_runner.cli.lab_gitea_and_minio import ORGANISATION, STORAGE, LabServers
from tea_runner.cli.local_stack import LocalStack
from tea_runner.cli.main import Context
from tea_runner.cli.option_setting_help import named
from tea_runner.cli.print_run_changes import RunAnnouncer
from tea_runner.core.errors import TeaError

_PORT = click.IntRange(1, 65535)


@click.command("lab")
@click.option(
    "-j", "--workers", type=click.IntRange(1), help=f"Number of workers ({named('worker.count')})."
)
@click.option(
    "--name",
    default="127.0.0.1",
    show_default=True,
    metavar="HOST",
    help="Name or address at which people reach this host.",
)
@click.option("--gitea-port", type=_PORT, default=3000, show_default=True, help="Port of Gitea.")
@click.option("--minio-port", type=_PORT, default=9000, show_default=True, help="Port of MinIO.")
@click.option("--example/--no-example", default=True, help="Push the example at the first start.")
@click.pass_obj
def command(
    context: Context,
    workers: int | None,
    name: str,
    gitea_port: int,
    minio_port: int,
    example: bool,
) -> None:
    """Start a server with Gitea and MinIO on this host.

    Gitea has the repositories, MinIO their annexed content; Redis, receiver, planner, reconciler and
    workers run beside them until Ctrl-C. All state is in one folder. The first start makes accounts,
    token, webhook and storage, and pushes an example.
    """
    stop = threading.Event()

    def tell(line: str) -> None:
        if not context.quiet:
            click.echo(line)

    make = partial(LabServers, name=name, gitea_port=gitea_port, minio_port=minio_port)
    with LocalStack(
        context, workers=workers, tell=tell, lab=lambda found: make(context=found)
    ) as stack:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        stack.reload(stop.set)
        lab = stack.lab
        assert lab is not None
        for line in _welcome(lab, stack.pages_url):
            click.echo(line)
        if example:
            # A failed example is no reason to stop a server.
            try:
                if push_example(lab):
                    click.echo(f"example: {lab.gitea_url}/{REPOSITORY} was pushed")
            except TeaError as error:
                click.echo(f"example: not pushed: {error.message}", err=True)
        click.echo("\nStop with Ctrl-C.")
        announcer = RunAnnouncer(stack.context.site.runs, tell)
        stack.run(stop.wait, announcer.look)
        click.echo("stopping …")


def _welcome(lab: LabServers, pages_url: str) -> list[str]:
    """Where everything is, and how a dataset is connected."""
    variables = [f"  export {name}={value}" for name, value in lab.storage_variables.items()]
    allow = [f"  git config --global annex.security.allowed-ip-addresses {lab.name}"]
    return [
        f"forge:   {lab.gitea_url}  user {lab.user}, password {lab.password}",
        f"pages:   {pages_url}",
        f"logs:    {lab.state / 'logs'}",
        "",
        "In a DataLad dataset with a pipeline:",
        *variables,
        *allow,
        f"  git annex initremote {shlex.join(lab.init_storage)}",
        f"  git remote add origin {lab.gitea_url}/{ORGANISATION}/NAME.git",
        "  git config remote.origin.annex-ignore true",
        f"  git config remote.origin.datalad-publish-depends {STORAGE}",
        "  git push origin HEAD",
        "  datalad push --to origin",
    ]
