"""Buttons of orders: approve, pause and resume; each asks once and says who ordered it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from flask import Blueprint, Response, redirect, request, url_for

from tea_runner.core.errors import NotFound
from tea_runner.core.planning.approval_or_pause import Order
from tea_runner.flow import approve_pause_resume
from tea_runner.web import not_found_texts
from tea_runner.web.cancel_and_retry_pages import acting_person
from tea_runner.web.page_context import PageContext
from tea_runner.web.visitor import visitor

_CONSEQUENCES = {
    "pause": "No more jobs begin. Those that run go on, and pushes wait.",
    "resume": "What waited begins.",
}


@dataclass(frozen=True, kw_only=True)
class PauseView:
    """A pause as pages show it, with the address of the button that ends it."""

    order: Order
    #: Empty where the viewer may not end it.
    resume: str


def add_order_pages(routes: Blueprint, desk: PageContext) -> None:
    """Add the confirmations, and what they send."""
    for endpoint, rule in (
        ("repository", "/repos/<owner>/<name>/<any(pause, resume):action>"),
        ("server", "/workers/<any(pause, resume):action>"),
    ):
        routes.add_url_rule(rule, f"ask_{endpoint}", partial(_ask, desk), methods=["GET"])
        routes.add_url_rule(rule, f"do_{endpoint}", partial(_do, desk), methods=["POST"])


def visible_pauses(desk: PageContext) -> list[Order]:
    """What is paused, of the whole server and of repositories that the viewer may read."""
    found = approve_pause_resume.pauses(desk.site.orders.lately())
    mine = visitor().readable({order.repository for order in found if order.repository})
    return [order for order in found if order.repository in ("", *mine)]


def pause_views(desk: PageContext, repository: str | None = None) -> list[PauseView]:
    """The pauses that the viewer may see.

    :param repository: with those of everything, only those of this one; None for all.
    """
    who = visitor()
    found = []
    for order in visible_pauses(desk):
        if repository is not None and order.repository not in ("", repository):
            continue
        may = who.writes(order.repository) if order.repository else who.viewer.is_operator
        address = _address("ask", order.repository, "resume", order.pipeline) if may else ""
        found.append(PauseView(order=order, resume=address))
    return found


def pause_button(desk: PageContext, repository: str) -> str:
    """The address of the button that pauses a repository; empty where there is none for the viewer."""
    paused = any(
        (order.repository, order.pipeline) == (repository, "") for order in visible_pauses(desk)
    )
    may = visitor().writes(repository) if repository else visitor().viewer.is_operator
    return _address("ask", repository, "pause") if may and not paused else ""


def _address(what: str, repository: str, action: str, pipeline: str = "") -> str:
    if not repository:
        return url_for(f"pages.{what}_server", action=action)
    owner, _, name = repository.partition("/")
    return url_for(
        f"pages.{what}_repository",
        owner=owner,
        name=name,
        action=action,
        pipeline=pipeline or None,
    )


def _ask(desk: PageContext, action: str, owner: str = "", name: str = "") -> Response:
    repository = _repository(desk, owner, name)
    pipeline = request.args.get("pipeline", "")[:200]
    place = Order(kind="pause", repository=repository, pipeline=pipeline).place
    return desk.answer(
        "confirm.html",
        {},
        as_json=False,
        question=f"{action.capitalize()} {place}?",
        consequence=_CONSEQUENCES[action],
        label=action.capitalize(),
        by=acting_person(),
        back=_page(repository),
        target=_address("do", repository, action),
        fields={"pipeline": pipeline} if pipeline else {},
        command=f"tea-runner {action} {repository or '--all'} {pipeline}".rstrip(),
    )


def _do(desk: PageContext, action: str, owner: str = "", name: str = "") -> Response:
    repository = _repository(desk, owner, name)
    pipeline = request.form.get("pipeline", "")[:200] if repository else ""
    act = approve_pause_resume.pause if action == "pause" else approve_pause_resume.resume
    act(desk.site, repository, pipeline, acting_person())
    return redirect(_page(repository), 303)  # type: ignore[return-value]


def _page(repository: str) -> str:
    if not repository:
        return url_for("pages.workers")
    owner, _, name = repository.partition("/")
    return url_for("pages.repository", owner=owner, name=name)


def _repository(desk: PageContext, owner: str, name: str) -> str:
    if not owner:
        return ""
    whole = f"{owner}/{name}"
    if whole not in desk.lately("repositories", desk.repositories):
        raise NotFound(not_found_texts.REPOSITORY)
    return whole
