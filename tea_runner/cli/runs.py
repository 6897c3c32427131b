"""``tea-runner runs``: the latest runs, newest first."""

from __future__ import annotations

import json
import time

import click

from tea_runner.cli import complete_names, remote_runs
from tea_runner.cli.find_runs import listed_status, styled_state, warn_of_server
from tea_runner.cli.main import Context
from tea_runner.cli.options import json_option
from tea_runner.core.planning.states import STATES
from tea_runner.present import human_units, state_words
from tea_runner.present.json_documents import run_head
from tea_runner.present.visible_text import visible

_ALL = 2000


@click.command("runs")
@click.argument("repository", default="", shell_complete=complete_names.repositories)
@click.option("--state", type=click.Choice(STATES), help="List only runs in this state.")
@click.option(
    "-n",
    "number",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    help="Maximum number of runs.",
)
@json_option
@click.pass_obj
def command(context: Context, repository: str, state: str | None, number: int) -> None:
    """List runs.

    Of one REPOSITORY (owner/name), or of all.
    """
    if context.server is not None:
        remote_runs.list_runs(context.server, repository, state, number, as_json=context.as_json)
        return
    heads = context.site.runs.recent(_ALL if state else number, repository)
    rows = []
    for head in heads:
        row = listed_status(context, head)
        if state in (None, row.state):
            rows.append(row)
        if len(rows) == number:
            break
    if context.as_json:
        click.echo(json.dumps([run_head(row) for row in rows], indent=1))
        return
    if not rows and not context.quiet:
        of = f" of {repository}" if repository else ""
        click.echo(f"No runs{of}{f' in state {state}' if state else ''}.", err=True)
    warn_of_server(context, *rows)
    now = time.time()
    for row in rows:
        run = row.run
        took = row.seconds if row.ended else now - run.started
        click.echo(
            f"{styled_state(row.state)}  {run.id}  {visible(run.repository)}  {visible(run.branch)}  "
            f"{run.commit[:10]}  {state_words.counts_text(row.numbers) or 'no datums'}  "
            f"{human_units.ago(run.started, now)}, {human_units.duration(took)}  "
            f"{visible(run.title)}".rstrip()
        )
