"""``tea-runner triggers``: a process that commits what the triggers of the settings bring."""

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
from workers.settings_reload import SettingsReload
from workers.trigger_listener import TriggerListener


@click.command("triggers")
@click.option("--once", is_flag=True, help="Deal with the events that wait, then stop.")
@json_option
@click.pass_obj
def command(context: Context, once: bool) -> None:
    """Commit what webhooks, object stores and streams bring.

    It takes the events of the [[triggers]] of the settings, on the host of the receiver.
    """
    site = context.site
    with site.event_spool.sole_reader():
        listener = TriggerListener(site)
        try:
            if once:
                _once(context, listener)
                return
            for number in (signal.SIGTERM, signal.SIGINT):
                # Safe at any moment: what was not committed is still in the spool.
                signal.signal(number, lambda *_: sys.exit(0))
            name, due = worker_name("triggers"), threading.Event()
            reload = SettingsReload(site, lambda: replace(context).settings)
            signal.signal(signal.SIGHUP, lambda *_: due.set() if reload.is_due() else None)
            with process_row(
                site, name, "triggers", problem=lambda: listener.problem, reload=reload
            ):
                listener.forever(due.wait)
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
        finally:
            listener.close()
    start_anew()


def _once(context: Context, listener: TriggerListener) -> None:
    number = 0
    while done := listener.look():
        number += done
    if context.as_json:
        click.echo(json.dumps({"events": number, "problem": listener.problem}))
        return
    click.echo(f"{number} event{'s' if number != 1 else ''}")
    if listener.problem:
        click.echo(listener.problem, err=True)
