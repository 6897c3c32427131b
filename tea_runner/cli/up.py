"""``tea-runner up``: everything on this host, until Ctrl-C."""

from __future__ import annotations

import signal
import threading

import click

from tea_runner.cli.local_stack import LocalStack
from tea_runner.cli.main import Context


@click.command("up")
@click.option("-j", "--workers", type=click.IntRange(1), help="Workers (worker.count).")
@click.pass_obj
def command(context: Context, workers: int | None) -> None:
    """Run queue, receiver, planner, reconciler and workers here, until Ctrl-C.

    Without a forge in the settings, a small one is run as well.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with LocalStack(context, workers=workers) as stack:
        click.echo(f"pages:   {stack.web_url}")
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
            click.echo("Connect a repository: tea-runner hook add OWNER/REPO")
        click.echo("\nCtrl-C ends it.")
        stack.run(stop.wait)
        click.echo("stopping …")
