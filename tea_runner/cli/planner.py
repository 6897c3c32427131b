"""``tea-runner planner``: plan what was pushed, and settle what is finished."""

from __future__ import annotations

import click

from tea_runner.cli.main import Context
from workers.branch_planner import BranchPlanner
from workers.job_worker import worker_name


@click.command("planner")
@click.option("--burst", is_flag=True, help="End when nothing is left to do.")
@click.pass_obj
def command(context: Context, burst: bool) -> None:
    """Plan pushed branches and publish results commits, until told to stop."""
    site = context.site
    planner = BranchPlanner(site)
    try:
        site.consumer("plan", planner, name=worker_name("planner")).run(burst=burst)
    finally:
        planner.close()
