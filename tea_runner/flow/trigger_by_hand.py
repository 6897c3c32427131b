"""A start by hand, on a server: the same for terminal, pages and API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from tea_runner.core.errors import NotFound, UserError
from tea_runner.core.planning.asked_tick import AskedTick
from tea_runner.core.planning.run import PipelineRun, Run, declared_variables
from tea_runner.core.spec.variable_values import check_values

#: Cause of the run.
TRIGGER = "trigger"


class TriggerServer(Protocol):
    """The parts of a server that it needs; :class:`tea_runner.wiring.Site` has them."""

    @property
    def runs(self) -> Any:
        """Runs."""
        ...

    @property
    def plan_requests(self) -> Any:
        """Requests to plan."""
        ...

    def asked_ticks(self, repository: str, branch: str) -> Any:
        """Ticks that people asked for."""
        ...


def trigger(
    server: TriggerServer,
    repository: str,
    branch: str,
    pipeline: str,
    tick: str,
    by: str,
    *,
    variables: Mapping[str, str] | None = None,
) -> Run | None:
    """Start a pipeline: its schedules tick once more, its triggers fire, its variables have new values.

    :param tick: its name.
    :param variables: texts by name; variables that are not among them get their defaults.
    :returns: the run; None when the branch has none yet.
    :raises NotFound: when the latest run of the branch has no such pipeline.
    :raises UserError: when no pipeline is named, or it declares no such variable, or with another type.
    """
    if not pipeline:
        raise UserError("name the pipeline")
    latest = server.runs.head(server.runs.current(repository, branch))
    row = None
    if latest is not None:
        row = next((each for each in latest.pipelines if each.name == pipeline), None)
        if row is None:
            raise NotFound(f"{repository} has no pipeline {pipeline} on branch {branch}")
        require_start(row)
    elif variables:
        raise UserError(
            f"branch {branch} of {repository} has not been planned yet",
            hint="push it, and set variables then",
        )
    asked = AskedTick(
        repository=repository,
        branch=branch,
        pipeline=pipeline,
        tick=tick,
        variables=check_values(pipeline, declared_variables(row) if row else (), variables or {}),
        by=by,
    )
    server.asked_ticks(repository, branch).add(asked)
    run: Run | None = server.runs.request(repository, branch, TRIGGER, by=by)
    server.plan_requests.request_plan(repository, f"refs/heads/{branch}", why=TRIGGER)
    return run


def require_start(row: PipelineRun) -> None:
    """Refuse a pipeline that cannot be started by hand.

    :raises UserError: when it has no schedule, no trigger and no variables.
    """
    if not (row.schedules or row.triggers or row.variables):
        raise nothing_to_start(row.name)


def nothing_to_start(pipeline: str) -> UserError:
    """Why a pipeline without schedule, trigger and variables is not started by hand."""
    return UserError(
        f"pipeline {pipeline} has no schedule, no trigger and no variables",
        hint='tea-runner recompute computes known results again; input.cron with spec: "@never" makes '
        "a pipeline that starts by hand only",
    )
