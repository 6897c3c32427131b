"""What people order on a server: approvals, pauses and their ends; the same for terminal, pages and API."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from tea_runner.core.errors import NotFound, UserError
from tea_runner.core.planning.order import Order
from tea_runner.core.planning.run import Run
from tea_runner.core.planning.run_status import RunStatus


class Orders(Protocol):
    """Orders that are kept."""

    def put(self, order: Order) -> None:
        """Add an order, in place of the former one about the same."""
        ...

    def all(self) -> list[Order]:
        """All orders."""
        ...


class OpenRuns(Protocol):
    """Runs that are remembered."""

    def open(self) -> list[Run]:
        """Runs that have not ended."""
        ...


class OrderServer(Protocol):
    """The parts of a server that orders need; :class:`tea_runner.wiring.Site` has them."""

    @property
    def orders(self) -> Orders:
        """Orders."""
        ...

    @property
    def runs(self) -> OpenRuns:
        """Runs."""
        ...

    @property
    def plan_requests(self) -> Any:
        """Requests to plan."""
        ...


def needs_approval(status: RunStatus) -> bool:
    """Whether a run waits until somebody approves that it computes so much."""
    rows = () if status.ended else status.pipelines
    return any(row.reason == "approval-needed" for row in rows)


def approve(server: OrderServer, status: RunStatus, by: str) -> Order:
    """Approve all that a run computes, now and later.

    :raises UserError: when it waits for no approval.
    """
    run = status.run
    if not needs_approval(status):
        who = f"; {run.approved_by} approved it" if run.approved_by else ""
        raise UserError(f"run {run.id} waits for no approval{who}")
    order = Order(
        kind="approve",
        repository=run.repository,
        branch=run.branch,
        commit=run.commit,
        by=by,
        at=time.time(),
    )
    server.orders.put(order)
    server.plan_requests.request_plan(
        run.repository, f"refs/heads/{run.branch}", why=f"approved by {by}"
    )
    return order


def pause(server: OrderServer, repository: str, pipeline: str, by: str) -> Order:
    """Have no more jobs of a pipeline begin; those that run go on.

    :param repository: empty for all of the server.
    :param pipeline: empty for all of the repository.
    """
    order = Order(kind="pause", repository=repository, pipeline=pipeline, by=by, at=time.time())
    server.orders.put(order)
    _plan_again(server, repository, f"paused by {by}")
    return order


def resume(server: OrderServer, repository: str, pipeline: str, by: str) -> Order:
    """End a pause; what waited is planned again at once.

    :raises NotFound: when exactly this is not paused.
    """
    wanted = Order(kind="resume", repository=repository, pipeline=pipeline, by=by, at=time.time())
    if all(order.subject != wanted.subject for order in pauses(server.orders.all())):
        raise NotFound(
            f"{wanted.place} is not paused", hint="tea-runner pause --list names what is paused"
        )
    server.orders.put(wanted)
    _plan_again(server, repository, f"resumed by {by}")
    return wanted


def pauses(orders: Iterable[Order]) -> Sequence[Order]:
    """What is paused, the latest first."""
    return sorted((each for each in orders if each.kind == "pause"), key=lambda each: -each.at)


def _plan_again(server: OrderServer, repository: str, why: str) -> None:
    """Have the branches planned that have something under way."""
    branches = {
        (run.repository, run.branch)
        for run in server.runs.open()
        if not run.superseded and repository in ("", run.repository)
    }
    for name, branch in sorted(branches):
        server.plan_requests.request_plan(name, f"refs/heads/{branch}", why=why)
