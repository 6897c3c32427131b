"""``tea-runner planner``: a process that plans branches and publishes results commits."""

from __future__ import annotations

import click

from tea_runner.cli.main import Context
from workers.branch_planner import BranchPlanner
from workers.job_worker import worker_name


@click.command("planner")
@click.option("--burst", is_flag=True, help="Stop when the queue is empty.")
@click.pass_obj
def command(context: Context, burst: bool) -> None:
    """Start a planner on this host.

    It plans pushed branches and publishes results commits.
    """
    site = context.site
    planner = BranchPlanner(site)
    try:
        site.consumer("plan", planner, name=worker_name("planner")).run(burst=burst)
    finally:
        planner.close()
