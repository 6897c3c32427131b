"""``tea-runner reconcile``: a process that finds missed pushes and lost jobs."""

from __future__ import annotations

import json
import signal
import sys
import threading
from dataclasses import replace

import click

from tea_runner.cli.main import Context
from tea_runner.cli.options import json_option
from tea_runner.host.restart_process import start_anew
from workers.job_worker import worker_name
from workers.process_row import process_row
from workers.reconciler import Reconciler
from workers.settings_reload import SettingsReload


@click.command("reconcile")
@click.option("--once", is_flag=True, help="Check once, then stop.")
@json_option
@click.pass_obj
def command(context: Context, once: bool) -> None:
    """Find missed pushes and lost jobs, and repair them.

    Compares the forge with the plans at the start and every minute (reconcile.every).
    """
    reconciler = Reconciler(context.site)
    if once:
        repairs = reconciler.round()
        if context.as_json:
            click.echo(json.dumps(repairs, indent=1))
            return
        for line in repairs:
            click.echo(line)
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        # Safe at any moment: the next start finds the same problems again.
        signal.signal(number, lambda *_: sys.exit(0))
    name, due = worker_name("reconciler"), threading.Event()
    reload = SettingsReload(context.site, lambda: replace(context).settings)
    signal.signal(signal.SIGHUP, lambda *_: due.set() if reload.is_due() else None)
    with process_row(
        context.site, name, "reconcile", problem=lambda: reconciler.problem, reload=reload
    ):
        reconciler.forever(due.wait)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    start_anew()
