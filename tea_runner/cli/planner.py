"""``tea-runner planner``: plan what was pushed, and settle what is finished."""

from __future__ import annotations

import click

from tea_runner.adapters.broker import check_policy
from tea_runner.adapters.queue import serve
from tea_runner.cli.main import Context
from tea_runner.core.errors import Refused
from workers.tasks import Planner, worker_name


@click.command("planner")
@click.option("--burst", is_flag=True, help="End when nothing is left to do.")
@click.pass_obj
def command(context: Context, burst: bool) -> None:
    """Plan pushed branches and publish results commits, until told to stop."""
    site = context.site
    refusal = check_policy(site.redis)
    if refusal:
        raise Refused(refusal)
    planner = Planner(site)
    try:
        serve(site.redis, "plan", planner, name=worker_name("planner"), burst=burst)
    finally:
        planner.close()
