"""``tea-runner up``: a server with workers on this host, until Ctrl-C."""

from __future__ import annotations

import signal
import threading

import click

from tea_runner.cli.local_stack import LocalStack
from tea_runner.cli.main import Context
from tea_runner.cli.option_setting_help import named
from tea_runner.cli.print_run_changes import RunAnnouncer


@click.command("up")
@click.option(
    "-j", "--workers", type=click.IntRange(1), help=f"Number of workers ({named('worker.count')})."
)
@click.pass_obj
def command(context: Context, workers: int | None) -> None:
    """Start a server with workers on this host.

    Redis, receiver, planner, reconciler and workers run until Ctrl-C. Without a forge in the
    settings, the embedded forge runs as well.
    """
    stop = threading.Event()

    def tell(line: str) -> None:
        if not context.quiet:
            click.echo(line)

    with LocalStack(context, workers=workers, tell=tell) as stack:
        # Before that, a signal ends the start.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        stack.reload(stop.set)
        click.echo(f"pages:   {stack.pages_url}")
        click.echo(f"logs:    {stack.state / 'logs'}")
        if stack.embedded is not None:
            access = stack.embedded
            plain = access.url.removeprefix("http://")
            click.echo(f"forge:   {access.url}  user {access.user}, password {access.password}")
            click.echo("\nIn a DataLad dataset with a pipeline:")
            click.echo(
                f"  git annex initremote {access.storage} type=directory directory={access.store} "
                f"encryption=none autoenable=true"
            )
            click.echo(
                f"  git remote add origin http://{access.user}:{access.password}@{plain}"
                f"/{access.user}/NAME.git"
            )
            click.echo(f"  git annex copy --to {access.storage} && git push origin HEAD git-annex")
        else:
            click.echo(f"forge:   {stack.context.settings.forge.url}")
            click.echo("Connect a repository: tea-runner webhook add OWNER/REPO")
        click.echo("\nStop with Ctrl-C.")
        announcer = RunAnnouncer(stack.context.site.runs, tell)
        stack.run(stop.wait, announcer.look)
        click.echo("stopping …")
