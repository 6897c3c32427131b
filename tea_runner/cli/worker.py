"""``tea-runner worker``: a process that runs jobs, one after the other."""

from __future__ import annotations

import click

from tea_runner.cli.main import Context
from tea_runner.cli.start_checks import require_queue_key, require_sandbox
from workers.job_worker import JobWorker, worker_name


@click.command("worker")
@click.option("--burst", is_flag=True, help="Stop when the queue is empty (for batch systems).")
@click.pass_obj
def command(context: Context, burst: bool) -> None:
    """Start a worker on this host.

    Any number of workers may run, on any hosts.
    """
    site = context.site
    require_sandbox(context)
    require_queue_key(context)
    name = worker_name("worker")
    worker = JobWorker(site, name)
    try:
        site.consumer(
            "job",
            worker,
            name=name,
            on_stop=worker.stop,
            at_last=worker.release_claim,
            ready=lambda: site.queue_key.problem() or worker.scratch.problem(),
        ).run(burst=burst)
    finally:
        worker.close()
