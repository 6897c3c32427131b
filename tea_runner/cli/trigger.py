"""``tea-runner trigger``: have the schedules of a pipeline tick now, here or on a server."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime

import click

from tea_runner.cli.find_runs import echo_visible
from tea_runner.cli.main import Context
from tea_runner.cli.open_dataset import check_pipelines, open_dataset
from tea_runner.cli.options import json_option
from tea_runner.cli.run import report_progress
from tea_runner.cli.run_locally import run_locally
from tea_runner.core.errors import UsageError, UserError
from tea_runner.core.pipeline import cron_leaves
from tea_runner.core.planning.tick_names import tick_name
from tea_runner.core.registered_webhook import is_repository_name
from tea_runner.flow import trigger_actions
from tea_runner.host.operator_name import operator_name


@click.command("trigger")
@click.argument("names", nargs=-1, required=True, metavar="[OWNER/REPO] PIPELINE")
@click.option("--branch", default="", help="Branch on the server; by default the default branch.")
@json_option
@click.pass_obj
def command(context: Context, names: tuple[str, ...], branch: str) -> int:
    """Have the schedules of a pipeline tick now.

    With the name of a repository it happens on the server, else here: the pipeline runs with the present
    as its tick, and what its schedule is due for stays as it is.
    """
    if len(names) > 2 or (len(names) == 2 and not is_repository_name(names[0])):
        raise UsageError("name one pipeline, on a server after its repository: OWNER/REPO PIPELINE")
    if len(names) == 2:
        return _on_server(context, names[0], names[1], branch)
    if branch or context.server is not None:
        raise UsageError("name the repository before the pipeline: OWNER/REPO PIPELINE")
    return _here(context, names[0])


@dataclass
class _AskedTick:
    """One tick, until it is recorded."""

    ticks: list[tuple[str, str]] = field(default_factory=list)

    def pending(self) -> list[tuple[str, str]]:
        """It, or nothing."""
        return list(self.ticks)

    def recorded(self, pipeline: str, tick: str) -> None:
        """Forget it."""
        self.ticks.remove((pipeline, tick))


def _here(context: Context, name: str) -> int:
    session = open_dataset(context)
    tip = session.tip()
    check_pipelines(tip, (name,))
    if not cron_leaves(tip.pipelines.by_name[name].input):
        raise UserError(
            f"pipeline {name} has no schedule",
            hint=f"tea-runner run --recompute {name} computes it again",
        )
    asked = _AskedTick([(name, tick_name(datetime.now(UTC)))])
    workers = context.settings.worker.count
    return report_progress(context, run_locally(session, (name,), workers, asked_ticks=asked), [])


def _on_server(context: Context, repository: str, pipeline: str, branch: str) -> int:
    if context.server is not None:
        owner, _, name = repository.partition("/")
        body = {"pipeline": pipeline, "branch": branch}
        document = context.server.post("repositories", owner, name, "trigger", body=body)
    else:
        site = context.site
        branch = branch or site.forge_facts.branch_protection(repository).default
        tick = tick_name(datetime.now(UTC))
        by = operator_name()
        run = trigger_actions.trigger(site, repository, branch, pipeline, tick, by)
        document = {
            "repository": repository,
            "branch": branch,
            "pipeline": pipeline,
            "tick": tick,
            "run": run.id if run is not None else "",
        }
    if context.as_json:
        click.echo(json.dumps(document, indent=1))
    else:
        run_text = f": run {document['run']}" if document["run"] else ""
        echo_visible(f"{pipeline} of {repository} ticks at {document['tick']}{run_text}")
    return 0
