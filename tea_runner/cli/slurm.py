"""``tea-runner slurm``: keep as many burst workers in Slurm as jobs wait."""

from __future__ import annotations

import json
import logging
import signal
import sys
import threading

import click

from tea_runner.cli.local_stack import child_options
from tea_runner.cli.main import Context
from tea_runner.cli.option_setting_help import named
from tea_runner.cli.options import json_option
from tea_runner.core.errors import OutsideError, SettingsError, UserError
from tea_runner.executors.slurm_client import SlurmClient
from tea_runner.executors.slurm_workers import SlurmWorkers

log = logging.getLogger(__name__)
#: Seconds between the signal to a worker and the end of its time, besides ``worker.grace``.
_MARGIN = 30


@click.command("slurm")
@click.option("--once", is_flag=True, help="Look at the queue once, and end.")
@json_option
@click.pass_obj
def command(context: Context, once: bool) -> None:
    """Keep as many burst workers in Slurm as jobs wait.

    Workers are tasks of arrays, and end when the queue is empty. Their options are the operator's
    (slurm.options, slurm.worker_options), after those for the resources that jobs request. At a signal, the
    workers that have not begun are cancelled.
    """
    settings, stop = context.settings.slurm, threading.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: stop.set())
    workers = _workers(context)
    told = ""
    while not stop.is_set():
        try:
            changes = workers.adjust(context.site.queues.lengths())
        except (OutsideError, UserError) as error:
            if once:
                raise
            if error.message != told:
                log.warning("%s; it is tried again", error.message)
            told = error.message
        else:
            told = ""
            for worker_class, change in sorted(changes.items()):
                if context.as_json:
                    row = {
                        "class": worker_class,
                        "started": change.start,
                        "cancelled": change.cancel,
                    }
                    click.echo(json.dumps(row))
                elif change.start:
                    click.echo(f"started {change.start} for jobs that wait ({worker_class})")
                else:
                    click.echo(f"cancelled workers that nothing waits for ({worker_class})")
        if once:
            return
        stop.wait(settings.every)
    workers.cancel_waiting()


def _workers(context: Context) -> SlurmWorkers:
    settings = context.settings
    labels: dict[str, list[str]] = {}
    for each in settings.slurm.labels:
        label, equals, option = each.partition("=")
        if not (label and equals and option.startswith("-")):
            raise SettingsError(
                f"{named('slurm.labels')}: {each} is not of the form LABEL=OPTION",
                hint="such as big=--partition=big",
            )
        labels.setdefault(label, []).append(option)
    words = [*(settings.run.command or (sys.executable, "-m", "tea_runner"))]
    return SlurmWorkers(
        client=SlurmClient(context.variables),
        words=[*words, *child_options(context)],
        options=[*settings.slurm.options, *settings.slurm.worker_options],
        labels=labels,
        most=settings.slurm.most_workers,
        name=settings.slurm.worker_name,
        warning=int(settings.worker.grace) + _MARGIN,
    )
