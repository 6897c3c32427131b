"""``tea-runner wait``: until a run has ended; the exit code is the verdict."""

from __future__ import annotations

import json
import re
import time

import click

from tea_runner.cli.find_runs import say, stands
from tea_runner.cli.main import Context
from tea_runner.core.errors import NotFound
from tea_runner.core.planning.run_status import RunStatus
from tea_runner.present import state_words
from tea_runner.present.json_documents import run_head

_PAUSE = 0.5
_WHOLE_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@click.command("wait")
@click.argument("run")
@click.option(
    "--timeout", type=click.FloatRange(0), metavar="SECONDS", help="Give up after so long."
)
@click.pass_obj
def command(context: Context, run: str, timeout: float | None) -> int:
    """Wait for the end of a RUN, named by its id, commit or repository.

    Ends with 0 when all is done or reused, with 1 when something failed, was cancelled or is
    blocked, with 4 when the time is over before the run is.  A whole commit may be one that was
    pushed just now and that no run is known of yet: tea-runner wait $(git rev-parse HEAD)
    """
    until = None if timeout is None else time.monotonic() + timeout
    told = ""
    while True:
        row = _look(context, run)
        if row is not None and row.ended:
            break
        line = (
            f"{row.state}: {state_words.run_sentence(row)}"
            if row
            else "no run of this commit is known yet"
        )
        if line != told and not context.quiet and not context.as_json:
            click.echo(line, err=True)
            told = line
        if until is not None and time.monotonic() >= until:
            _tell(context, row)
            return 4
        time.sleep(_PAUSE)
    _tell(context, row)
    return 0 if row.state in ("done", "reused") else 1


def _look(context: Context, name: str) -> RunStatus | None:
    try:
        return stands(context, context.site.runs.find(name))
    except NotFound:
        if _WHOLE_COMMIT.fullmatch(name):
            return None
        raise


def _tell(context: Context, row: RunStatus | None) -> None:
    if context.as_json:
        click.echo(json.dumps(run_head(row) if row else None, indent=1))
    elif row is not None:
        say(f"{row.state}: {state_words.run_sentence(row)}  {row.run.id}")
