"""``tea-runner planner``: a process that plans branches and publishes results commits."""

from __future__ import annotations

from dataclasses import replace

import click

from tea_runner.cli.main import Context
from tea_runner.core.errors import Refused
from tea_runner.host.restart_process import start_anew
from tea_runner.wiring import Site
from workers.branch_planner import BranchPlanner
from workers.job_worker import worker_name
from workers.process_row import process_row
from workers.settings_reload import SettingsReload


@click.command("planner")
@click.option("--burst", is_flag=True, help="Stop when the queue is empty.")
@click.pass_obj
def command(context: Context, burst: bool) -> None:
    """Start a planner on this host.

    It plans pushed branches and publishes results commits.
    """
    site = context.site
    site.queue_key.register(replace=not _other_planners(site))
    if not site.settings.trust.unsigned:
        _register_key(site)
    planner = BranchPlanner(site)
    name, ready = worker_name("planner"), site.queue_key.keep
    reload = SettingsReload(site, lambda: replace(context).settings)
    consumer = site.consumer("plan", planner, name=name, ready=ready, reload=reload.is_due)
    try:
        with process_row(site, name, "plan", problem=ready, reload=reload):
            consumer.run(burst=burst)
    finally:
        planner.close()
    if consumer.starts_anew:
        start_anew()


def _other_planners(site: Site) -> bool:
    """Whether planners run, which need the same key of the queue."""
    return any(each.kind == "plan" and each.state != "silent" for each in site.fleet().workers)


def _register_key(site: Site) -> None:
    """Make the key that signs results, and compare it with those of the other planners.

    :raises Refused: when another planner's signatures do not count here.
    """
    keys = site.results_keys
    own = keys.own.fingerprint
    strangers = site.planner_keys.register(own) - keys.trusted.keys()
    if strangers:
        site.planner_keys.forget(own)
        raise Refused(
            f"another planner of this server signs results with {min(strangers)}, which is not the key "
            f"of this host and not in trusted_signers: each would compute the other's results again",
            hint="copy the file trust.key (<state>/results_key) from its host; if that planner is no "
            f"more, run: tea-runner trust forget {min(strangers)}",
        )
