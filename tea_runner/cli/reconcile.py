"""``tea-runner reconcile``: find pushes and jobs that got lost, and mend that."""

from __future__ import annotations

import signal
import sys
import threading

import click

from tea_runner.cli.main import Context
from workers.reconciler import Reconciler


@click.command("reconcile")
@click.option("--once", is_flag=True, help="One round, then end.")
@click.pass_obj
def command(context: Context, once: bool) -> None:
    """Compare forge and results at start and every minute; plan what is missing."""
    reconciler = Reconciler(context.site)
    if once:
        for line in reconciler.round():
            click.echo(line)
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        # It may end anywhere: whatever it was about to mend, the next one finds again.
        signal.signal(number, lambda *_: sys.exit(0))
    reconciler.forever(threading.Event().wait)
