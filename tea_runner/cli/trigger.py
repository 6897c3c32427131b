"""``tea-runner trigger``: start a pipeline by hand, here or on a server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import click

from tea_runner.cli.find_runs import echo_visible
from tea_runner.cli.main import Context
from tea_runner.cli.open_dataset import check_pipelines, open_dataset
from tea_runner.cli.options import json_option
from tea_runner.cli.run import report_progress
from tea_runner.cli.run_locally import run_locally
from tea_runner.core.deliveries.registered_webhook import is_repository_name
from tea_runner.core.errors import UsageError
from tea_runner.core.pipeline import cron_leaves, pfs_leaves
from tea_runner.core.planning.asked_tick import AskedTick
from tea_runner.core.planning.tick_names import tick_name
from tea_runner.core.spec.variable_values import check_values, read_assignments
from tea_runner.flow import trigger_by_hand
from tea_runner.host.operator_name import operator_name


@click.command("trigger")
@click.argument("names", nargs=-1, required=True, metavar="[OWNER/REPO] PIPELINE")
@click.option(
    "--var",
    "values",
    metavar="NAME=VALUE",
    multiple=True,
    help="Value of a variable of the pipeline; repeatable. The others get their defaults.",
)
@click.option("--branch", default="", help="Branch on the server; by default the default branch.")
@json_option
@click.pass_obj
def command(context: Context, names: tuple[str, ...], values: tuple[str, ...], branch: str) -> int:
    """Start a pipeline by hand, with values of its variables.

    With the name of a repository it happens on the server, else here: the schedules of the pipeline tick
    now, beside what they are due for, and its variables have the values that are given, until it is
    started by hand again.
    """
    given = read_assignments(values)
    if len(names) > 2 or (len(names) == 2 and not is_repository_name(names[0])):
        raise UsageError("name one pipeline, on a server after its repository: OWNER/REPO PIPELINE")
    if len(names) == 2:
        return _on_server(context, names[0], names[1], branch, given)
    if branch or context.server is not None:
        raise UsageError("name the repository before the pipeline: OWNER/REPO PIPELINE")
    return _here(context, names[0], given)


@dataclass
class _OneStart:
    """One start, until it is recorded."""

    ticks: list[AskedTick] = field(default_factory=list)

    def pending(self) -> list[AskedTick]:
        """It, or nothing."""
        return list(self.ticks)

    def recorded(self, asked: AskedTick) -> None:
        """Forget it."""
        self.ticks.remove(asked)


def _here(context: Context, name: str, given: Mapping[str, str]) -> int:
    session = open_dataset(context)
    tip = session.tip()
    check_pipelines(tip, (name,))
    pipeline = tip.pipelines.by_name[name]
    variables = check_values(name, pipeline.variables, given)
    held = any(leaf.trigger for leaf in pfs_leaves(pipeline.input))
    if not (held or cron_leaves(pipeline.input) or pipeline.variables):
        raise trigger_by_hand.nothing_to_start(name)
    tick = tick_name(datetime.now(UTC))
    asked = _OneStart([AskedTick(pipeline=name, tick=tick, variables=variables)])
    workers = context.settings.worker.count
    return report_progress(context, run_locally(session, (name,), workers, asked_ticks=asked), [])


def _on_server(
    context: Context, repository: str, pipeline: str, branch: str, given: Mapping[str, str]
) -> int:
    if context.server is not None:
        owner, _, name = repository.partition("/")
        body = {"pipeline": pipeline, "branch": branch, "variables": dict(given)}
        document = context.server.post("repositories", owner, name, "trigger", body=body)
    else:
        site = context.site
        branch = branch or site.forge_facts.branch_protection(repository).default
        tick = tick_name(datetime.now(UTC))
        by = operator_name()
        run = trigger_by_hand.trigger(site, repository, branch, pipeline, tick, by, variables=given)
        document = {
            "repository": repository,
            "branch": branch,
            "pipeline": pipeline,
            "tick": tick,
            "variables": dict(given),
            "run": run.id if run is not None else "",
        }
    if context.as_json:
        click.echo(json.dumps(document, indent=1))
    else:
        run_text = f": run {document['run']}" if document["run"] else ""
        values = "".join(f" {name}={value}" for name, value in document["variables"].items())
        echo_visible(f"{pipeline} of {repository} ticks at {document['tick']}{values}{run_text}")
    return 0
