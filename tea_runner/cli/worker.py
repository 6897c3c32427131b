"""``tea-runner worker``: a process that runs jobs, one after the other."""

from __future__ import annotations

import click

from tea_runner.cli.main import Context
from tea_runner.cli.start_checks import (
    NO_ENVIRONMENT,
    require_offers,
    require_queue_key,
    require_sandbox,
)
from workers.job_worker import JobWorker, worker_name
from workers.process_row import process_row


@click.command("worker")
@click.option("--burst", is_flag=True, help="Stop when the queue is empty (for batch systems).")
@click.pass_obj
def command(context: Context, burst: bool) -> None:
    """Start a worker on this host.

    Any number of workers may run, on any hosts.
    """
    site = context.site
    require_sandbox(context)
    require_offers(context)
    require_queue_key(context)
    name = worker_name("worker")
    worker = JobWorker(site, name)

    def problem() -> str:
        lacking = "" if site.offers() else NO_ENVIRONMENT
        return site.queue_key.problem() or worker.scratch.problem() or lacking

    try:
        with process_row(site, name, "job", offers=site.offers, problem=problem):
            site.consumer(
                "job",
                worker,
                name=name,
                needs=site.offers,
                on_stop=worker.stop,
                at_last=worker.release_claim,
                ready=problem,
            ).run(burst=burst)
    finally:
        worker.close()
