"""A tick by hand, on a server: the same for terminal and API."""

from __future__ import annotations

from typing import Any, Protocol

from tea_runner.core.errors import NotFound, UserError
from tea_runner.core.planning.run import Run

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
    server: TriggerServer, repository: str, branch: str, pipeline: str, tick: str, by: str
) -> Run | None:
    """Have the schedules of a pipeline tick once more, now.

    :param tick: its name.
    :returns: the run; None when the branch has none yet.
    :raises NotFound: when the latest run of the branch has no such pipeline.
    :raises UserError: when no pipeline is named.
    """
    if not pipeline:
        raise UserError("name the pipeline")
    latest = server.runs.head(server.runs.current(repository, branch))
    if latest is not None and pipeline not in {each.name for each in latest.pipelines}:
        raise NotFound(f"{repository} has no pipeline {pipeline} on branch {branch}")
    server.asked_ticks(repository, branch).add(pipeline, tick)
    run: Run | None = server.runs.request(repository, branch, TRIGGER, by=by)
    server.plan_requests.request_plan(repository, f"refs/heads/{branch}", why=TRIGGER)
    return run
