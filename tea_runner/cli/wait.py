"""``tea-runner wait``: wait for the end of a run; the exit code is its result."""

from __future__ import annotations

import contextlib
import json
import re
import sys
import time
from collections.abc import Callable, Iterator

import click

from tea_runner.cli import complete_names, remote_runs
from tea_runner.cli.find_runs import echo_visible, status_of
from tea_runner.cli.main import Context
from tea_runner.cli.options import json_option
from tea_runner.core.errors import NotFound, OutsideError
from tea_runner.core.planning.run import RECOMPUTE, RETRY, Run
from tea_runner.core.planning.run_status import RunStatus
from tea_runner.core.results.run_record import parse_trailers
from tea_runner.host import process
from tea_runner.present import state_words
from tea_runner.present.json_documents import run_head

_PAUSE = 0.5
_NO_RUN = "there is no run of this commit yet"
_WHOLE_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@click.command("wait")
@click.argument("run", shell_complete=complete_names.runs_or_repositories)
@click.option(
    "--timeout", type=click.FloatRange(0), metavar="SECONDS", help="Maximum time to wait."
)
@json_option
@click.pass_obj
def command(context: Context, run: str, timeout: float | None) -> int:
    """Wait for the end of a run.

    RUN is an id, a commit or a repository; in a clone, a results commit stands for the commit that it
    is for. Of a run that was retried or recomputed, the later run is
    waited for. The exit code is 0 when all datums are done or reused, 1 when one failed, was
    cancelled or is blocked, or when the run was superseded, and 4 at the timeout. A full commit id may be
    given before the run exists: tea-runner wait $(git rev-parse HEAD)
    """
    run = _inputs_of(context, run) or run
    if context.server is not None:
        whole = bool(_WHOLE_COMMIT.fullmatch(run))
        return remote_runs.wait(
            context.server, run, timeout, whole_commit=whole, as_json=context.as_json
        )
    until = None if timeout is None else time.monotonic() + timeout
    with _shown(context) as show:
        while True:
            row = _look(context, run)
            if row is not None and row.ended:
                break
            show(row)
            if until is not None and time.monotonic() >= until:
                break
            time.sleep(_PAUSE)
    _tell(context, row)
    if row is None or not row.ended:
        return 4
    return 0 if row.state in ("done", "reused") else 1


@contextlib.contextmanager
def _shown(context: Context) -> Iterator[Callable[[RunStatus | None], None]]:
    """Shows how far a run is: a bar on a terminal, else a line for each change."""
    if context.quiet or context.as_json:
        yield lambda _: None
        return
    if not sys.stderr.isatty():
        printed = ""

        def print_change(row: RunStatus | None) -> None:
            nonlocal printed
            line = f"{row.state}: {state_words.run_sentence(row)}" if row else _NO_RUN
            if line != printed:
                click.echo(line, err=True)
                printed = line

        yield print_change
        return
    from tea_runner.cli.progress_bar import progress_bars

    with progress_bars(quiet=False) as bars:
        bar = bars.add_task(_NO_RUN, total=None)

        def move(row: RunStatus | None) -> None:
            if row is not None:
                numbers = row.numbers
                left = sum(numbers.get(state, 0) for state in ("waiting", "running"))
                total = sum(numbers.values())
                bars.update(bar, description=row.state, completed=total - left, total=total)

        yield move
        bars.update(bar, visible=False)


def _inputs_of(context: Context, name: str) -> str:
    """The commit that a results commit of the current clone is for; empty for all other names."""
    if not _WHOLE_COMMIT.fullmatch(name) or not context.directory.is_dir():
        return ""
    argv = ["git", "show", "-s", "--format=%B", "--end-of-options", name]
    try:
        done = process.run(argv, env=context.variables, cwd=context.directory, check=False)
    except OutsideError:
        return ""
    commit = parse_trailers(done.stdout.decode("utf-8", "replace")).get("Tea-Input", "")
    if not _WHOLE_COMMIT.fullmatch(commit):
        return ""
    if not context.quiet and not context.as_json:
        click.echo(f"{name[:12]} is a results commit for {commit[:12]}", err=True)
    return commit


def _look(context: Context, name: str) -> RunStatus | None:
    try:
        run = context.site.runs.find(name)
        while (later := _requested_after(context, run)) is not None:
            run = later
        return status_of(context, run)
    except NotFound:
        if _WHOLE_COMMIT.fullmatch(name):
            return None
        raise


def _requested_after(context: Context, run: Run) -> Run | None:
    """The run of the same commit that a retry or recompute made after this one."""
    later: Run | None = context.site.runs.get(context.site.runs.next(run.id))
    if later is None or later.commit != run.commit or later.cause not in (RETRY, RECOMPUTE):
        return None
    return later


def _tell(context: Context, row: RunStatus | None) -> None:
    if context.as_json:
        click.echo(json.dumps(run_head(row) if row else None, indent=1))
    elif row is not None:
        echo_visible(f"{row.state}: {state_words.run_sentence(row)}  {row.run.id}")
