"""``tea-runner autoscaler``: a process that starts and stops hosts with workers by the queue's length."""

from __future__ import annotations

import json
import signal
import threading
from dataclasses import asdict

import click

from tea_runner.cli.main import Context
from tea_runner.cli.options import json_option
from tea_runner.core.errors import SettingsError
from workers.autoscale_hosts import HostAutoscaler
from workers.job_worker import worker_name
from workers.process_row import process_row


@click.command("autoscaler")
@click.option("--once", is_flag=True, help="Look once, then stop.")
@json_option
@click.pass_obj
def command(context: Context, once: bool) -> None:
    """Start and stop hosts with workers by the length of the queue.

    The commands autoscale.start and autoscale.stop do it.  Hosts that run stay when this process ends.
    """
    options = context.settings.autoscale
    for name, words in (("start", options.start), ("stop", options.stop)):
        if not words:
            raise SettingsError(f"autoscale.{name}: no command", hint="see the page on autoscaling")
    scaler = HostAutoscaler(context.site)
    if once:
        decision = scaler.round()
        if context.as_json:
            click.echo(json.dumps({**asdict(decision), "problem": scaler.problem}, indent=1))
        else:
            hosts = len(scaler.hosts)
            click.echo(f"{hosts} hosts; started {decision.start}, stopped {len(decision.stop)}")
            if scaler.problem:
                click.echo(scaler.problem, err=True)
        return
    end = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: end.set())
    name = worker_name("autoscaler")
    with process_row(context.site, name, "autoscale", problem=lambda: scaler.problem):
        scaler.forever(end.wait)
