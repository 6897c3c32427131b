"""What people order on a server: approvals, pauses and their ends; the same for terminal, pages and API."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from tea_runner.core.errors import NotFound, Refused, UserError
from tea_runner.core.git.branch_kinds import PULL_REQUEST_PREFIX
from tea_runner.core.planning.approval_or_pause import Order
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


class PullRequestServer(OrderServer, Protocol):
    """The parts of a server that approvals of pull requests need."""

    @property
    def settings(self) -> Any:
        """Settings."""
        ...

    @property
    def forge(self) -> Any:
        """The forge."""
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


def approve_pull_request(
    server: PullRequestServer, repository: str, number: int, commit: str, by: str
) -> Order:
    """Approve one commit of a pull request; a planner moves its branch there.

    :param commit: the whole id of its newest commit.
    :raises Refused: when pull requests are not processed, or it has another newest commit.
    :raises NotFound: when there is no such open pull request.
    :raises ForgeError: when the forge does not answer.
    """
    if not server.settings.pull_requests:
        raise Refused(
            "pull requests are not processed here",
            hint="to approve single commits of them, set pull_requests = true in the settings",
        )
    pull = server.forge.pull_request(repository, number)
    if pull is None or pull.state != "open":
        raise NotFound(f"the forge has no open pull request {number} of this repository")
    if not commit or pull.commit != commit:
        raise Refused(
            f"the newest commit of pull request {number} is {pull.commit}, not {commit}",
            hint="review that one and approve it",
        )
    order = pull_request_approval(repository, number, commit, by)
    server.orders.put(order)
    server.plan_requests.request_plan(
        repository, f"refs/heads/{order.branch}", why=f"pull request {number} approved"
    )
    return order


def pull_request_approval(repository: str, number: int, commit: str, by: str) -> Order:
    """The order that approves a commit of a pull request."""
    return Order(
        kind="approve pull request",
        repository=repository,
        branch=f"{PULL_REQUEST_PREFIX}{number}",
        commit=commit,
        by=by,
        at=time.time(),
    )


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
