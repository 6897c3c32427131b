"""``tea-runner worker``: a process that runs jobs, one after the other."""

from __future__ import annotations

import contextlib
import logging
import signal
import sys
import threading
import time
from dataclasses import replace

import click

from tea_runner.cli.local_stack import child_options
from tea_runner.cli.main import Context
from tea_runner.cli.option_setting_help import named
from tea_runner.cli.start_checks import (
    NO_ENVIRONMENT,
    require_offers,
    require_queue_key,
    require_sandbox,
)
from tea_runner.core.errors import OutsideError, QueueError
from tea_runner.core.planning.approval_or_pause import pause_of
from tea_runner.executors.slurm_client import SlurmClient
from tea_runner.executors.slurm_time import seconds_left
from tea_runner.host.restart_process import start_anew
from tea_runner.host.supervisor import Supervisor
from workers.fitting_job_classes import ConsumableClasses
from workers.job_worker import JobWorker, worker_name
from workers.process_row import process_row
from workers.settings_reload import SettingsReload

log = logging.getLogger(__name__)


@click.command("worker")
@click.option(
    "-j",
    "--workers",
    type=click.IntRange(1),
    help=f"Number of workers ({named('worker.count')}, if it is set).",
)
@click.option("--burst", is_flag=True, help="Stop when the queue is empty (for batch systems).")
@click.pass_obj
def command(context: Context, workers: int | None, burst: bool) -> int:
    """Start a worker on this host, or several.

    Any number of workers may run, on any hosts.  Those of one host share what worker.offers says: a job
    starts when what its pipeline requests fits beside the jobs that run.

    In a job of Slurm, a worker takes no job that would last longer than the time that Slurm leaves to it.
    """
    settings = context.settings
    is_set, offers = settings.source("worker.count") != "default", settings.worker.offers
    offered = max(1, int(offers.cpus)) if offers is not None and offers.cpus else 1
    number = workers or (settings.worker.count if is_set else offered)
    if number > 1:
        return _start_several(context, number, burst)
    _work(context, burst)
    return 0


def _start_several(context: Context, number: int, burst: bool) -> int:
    """Workers as child processes, until a signal or, with *burst*, until the queue is empty."""
    stop = threading.Event()
    supervisor = Supervisor()
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: stop.set())
    supervisor.reload(stop.set)
    verb = ["worker", "-j", "1", *(["--burst"] if burst else [])]
    argv = [sys.executable, "-P", "-m", "tea_runner", *child_options(context), *verb]
    try:
        for each in range(number):
            supervisor.add(f"worker-{each + 1}", argv, dict(context.variables))
        while not stop.wait(0.25):
            codes = [child.running.poll() for child in supervisor.children if child.running]
            if burst and None not in codes:
                return max(code or 0 for code in codes)
            if not burst:
                for line in supervisor.restart_ended():
                    log.warning("%s", line)
    finally:
        supervisor.stop(context.settings.worker.grace + 5)
    return 0


def _work(context: Context, burst: bool) -> None:
    """One worker, in this process."""
    site = context.site
    require_sandbox(context)
    require_offers(context)
    require_queue_key(context)
    name = worker_name("worker")
    worker = JobWorker(
        site,
        name,
        ends_at=_end_of_batch_job(context),
        end_early=lambda: signal.raise_signal(signal.SIGTERM),
    )

    def problem() -> str:
        lacking = "" if site.offers() else NO_ENVIRONMENT
        return site.queue_key.problem() or worker.scratch.problem() or lacking

    def paused() -> str:
        pause = pause_of(site.orders.lately(), "", "")
        if pause is not None:
            return f"everything was paused by {pause.by}"
        host = site.settings.worker.host
        with contextlib.suppress(QueueError):
            if host and site.processes.is_draining(host):
                return "the autoscaler is about to stop this host"
        return ""

    reload = SettingsReload(site, lambda: replace(context).settings)
    classes = ConsumableClasses(site.queues, site.ledger, site.offers)
    consumer = site.consumer(
        "job",
        worker,
        name=name,
        needs=classes,
        look_every=lambda: classes.look_every,
        on_stop=worker.stop,
        at_last=worker.release_claim,
        ready=lambda: problem() or paused(),
        reload=reload.is_due,
    )
    try:
        with process_row(
            site,
            name,
            "job",
            offers=site.offers,
            resources=site.ledger.offered,
            problem=problem,
            reload=reload,
        ):
            consumer.run(burst=burst)
    finally:
        worker.close()
    if consumer.starts_anew:
        start_anew()


def _end_of_batch_job(context: Context) -> float | None:
    """When Slurm ends this process, on the monotonic clock; None outside of Slurm or without a limit."""
    job = context.variables.get("SLURM_JOB_ID", "")
    if not job.isdigit():
        return None
    try:
        left = seconds_left(SlurmClient(context.variables).time_left(job))
    except OutsideError as error:
        log.warning("the time that Slurm leaves to this worker is not known: %s", error.problem)
        return None
    return None if left is None else time.monotonic() + left - context.settings.worker.grace
