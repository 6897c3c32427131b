"""Look-up of runs and jobs by id, commit or repository."""

from __future__ import annotations

import re

import click

from tea_runner.cli.main import Context
from tea_runner.core.errors import NotFound, UsageError
from tea_runner.core.planning.job_record import JobRecord
from tea_runner.core.planning.run import Run
from tea_runner.core.planning.run_status import RunStatus, run_status
from tea_runner.core.planning.states import State
from tea_runner.core.planning.worker_requirement import NEEDS
from tea_runner.present.state_words import SHAPES
from tea_runner.present.visible_text import visible

_HEX = re.compile(r"[0-9a-f]{6,64}")
_COLOURS: dict[State, str] = {
    "failed": "red",
    "cancelled": "yellow",
    "blocked": "magenta",
    "running": "blue",
    "done": "green",
    "reused": "cyan",
}


def status_of(context: Context, run: Run) -> RunStatus:
    """The status of a run, with the facts of its jobs."""
    ids = [job for pipeline in run.pipelines for job in pipeline.jobs]
    site = context.site
    facts = site.jobs.facts(ids)
    return run_status(run, facts, NEEDS if run.has_ended else site.processes.offers())


def listed_status(context: Context, head: Run) -> RunStatus:
    """The status of a run for a list; jobs are read only while the run has not ended."""
    run = context.site.runs.get(head.id) if not head.has_ended else None
    return status_of(context, run) if run is not None else run_status(head)


def find_job(context: Context, name: str) -> JobRecord | None:
    """The job with this id or unique prefix of an id, or None.

    :raises UsageError: when several ids have the prefix.
    """
    if not _HEX.fullmatch(name) or len(name) > 32:
        return None
    ids = [name] if len(name) == 32 else context.site.jobs.ids_starting_with(name)
    if len(ids) > 1:
        raise UsageError(f"{len(ids)} jobs begin with {name}", hint="give more digits")
    facts: dict[str, JobRecord] = context.site.jobs.facts(ids)
    return next(iter(facts.values()), None)


def need_job(context: Context, name: str) -> JobRecord:
    """The job with this id or unique prefix.

    :raises NotFound: when there is none.
    """
    facts = find_job(context, name)
    if facts is None:
        raise NotFound(
            f"there is no job {name}", hint="tea-runner show RUN lists the jobs of a run"
        )
    return facts


def find_run(context: Context, name: str) -> RunStatus | JobRecord:
    """The run or job of a name: an id or its prefix, a commit, or a repository (its latest run).

    :raises NotFound: when there is none.
    """
    try:
        run: Run = context.site.runs.find(name)
    except NotFound as error:
        facts = find_job(context, name)
        if facts is None:
            raise NotFound(
                f"there is no run or job {name}", hint="tea-runner runs lists the runs"
            ) from error
        return facts
    return status_of(context, run)


def warn_of_server(context: Context, *rows: RunStatus) -> None:
    """Say on standard error what keeps runs that have not ended from going on."""
    if context.as_json or context.quiet or all(row.ended for row in rows):
        return
    for problem in context.site.processes.problems().values():
        click.echo(f"server: {visible(problem)}", err=True)


def styled_state(state: State) -> str:
    """A state with its symbol, coloured on a terminal."""
    return click.style(f"{SHAPES[state]} {state:9}", fg=_COLOURS.get(state))


def echo_visible(line: str) -> None:
    """Print one line; control characters in it are escaped."""
    click.echo(visible(line).rstrip())
