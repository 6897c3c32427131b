"""``tea-runner reconcile``: a process that finds missed pushes and lost jobs."""

from __future__ import annotations

import signal
import sys
import threading

import click

from tea_runner.cli.main import Context
from workers.reconciler import Reconciler


@click.command("reconcile")
@click.option("--once", is_flag=True, help="Check once, then stop.")
@click.pass_obj
def command(context: Context, once: bool) -> None:
    """Find missed pushes and lost jobs, and repair them.

    Compares the forge with the plans at the start and every minute (reconcile.every).
    """
    reconciler = Reconciler(context.site)
    if once:
        for line in reconciler.round():
            click.echo(line)
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        # Safe at any moment: the next start finds the same problems again.
        signal.signal(number, lambda *_: sys.exit(0))
    reconciler.forever(threading.Event().wait)
