"""Names that people type in, runs and jobs as they stand out."""

from __future__ import annotations

import re

import click

from tea_runner.cli.main import Context
from tea_runner.core.errors import NotFound, UsageError
from tea_runner.core.planning.run import Run
from tea_runner.core.planning.run_status import JobFacts, RunStatus, run_status
from tea_runner.core.planning.states import ENDED_STATES, State
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


def stands(context: Context, run: Run) -> RunStatus:
    """A run with what is known of its jobs."""
    ids = [job for pipeline in run.pipelines for job in pipeline.jobs]
    return run_status(run, context.site.jobs.facts(ids))


def listed(context: Context, head: Run) -> RunStatus:
    """A run of a list; one that is under way with what is known of its jobs."""
    run = context.site.runs.get(head.id) if head.state not in ENDED_STATES else None
    return stands(context, run) if run is not None else run_status(head)


def find_job(context: Context, name: str) -> JobFacts | None:
    """The job whose id this is, or begins so.

    :raises UsageError: when several do.
    """
    if not _HEX.fullmatch(name) or len(name) > 32:
        return None
    ids = [name] if len(name) == 32 else context.site.jobs.ids_starting_with(name)
    if len(ids) > 1:
        raise UsageError(f"{len(ids)} jobs begin with {name}; give more digits of the one you mean")
    facts: dict[str, JobFacts] = context.site.jobs.facts(ids)
    return next(iter(facts.values()), None)


def need_job(context: Context, name: str) -> JobFacts:
    """As :func:`find_job`.

    :raises NotFound: when there is none.
    """
    facts = find_job(context, name)
    if facts is None:
        raise NotFound(f"there is no job {name}; tea-runner show RUN lists those of a run")
    return facts


def find_run(context: Context, name: str) -> RunStatus | JobFacts:
    """The run or job that somebody means: an id or its beginning, a commit, a repository.

    :raises NotFound: when there is neither.
    """
    try:
        run: Run = context.site.runs.find(name)
    except NotFound as error:
        facts = find_job(context, name)
        if facts is None:
            raise NotFound(
                f"there is no run or job {name}; tea-runner runs lists what is remembered"
            ) from error
        return facts
    return stands(context, run)


def word(state: State) -> str:
    """A state with its shape, in its colour on terminals that have colours."""
    return click.style(f"{SHAPES[state]} {state:9}", fg=_COLOURS.get(state))


def say(line: str) -> None:
    """One line whose text others may have written."""
    click.echo(visible(line).rstrip())
