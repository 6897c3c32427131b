"""Routes of orders: approve what waits, pause and resume."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify
from flask_smorest import Blueprint

from tea_runner.core.errors import NotFound
from tea_runner.core.planning.approval_or_pause import Order
from tea_runner.flow import approve_pause_resume
from tea_runner.present.json_documents import order_document
from tea_runner.web import not_found_texts
from tea_runner.web.api import approve_and_pause_schemas
from tea_runner.web.api.route_description import described
from tea_runner.web.approve_and_pause_pages import visible_pauses
from tea_runner.web.cancel_and_retry_pages import acting_person
from tea_runner.web.page_context import PageContext
from tea_runner.web.pull_request_pages import pull_request_document, pull_request_rows


def add_order_routes(routes: Blueprint, desk: PageContext) -> None:
    """Add them."""
    site = desk.site

    @routes.post("/runs/<run>/approve")
    @described(routes, approve_and_pause_schemas.OrderDocument, 400, 404)
    def approve_run(run: str) -> Response:
        """Approve that a run computes more than ``limits.ask_above``."""
        return _ordered(approve_pause_resume.approve(site, desk.run(run)[0], acting_person()))

    @routes.get("/repositories/<owner>/<name>/pull-requests")
    @described(routes, approve_and_pause_schemas.PullRequestsDocument, 404, 503)
    def pull_requests(owner: str, name: str) -> Response:
        """List the newest open pull requests, and which of them wait for an approval."""
        rows = pull_request_rows(desk, f"{owner}/{name}")
        return jsonify(pull_requests=[pull_request_document(row) for row in rows])

    @routes.post("/repositories/<owner>/<name>/pull-requests/<int:number>/approve")
    @routes.arguments(approve_and_pause_schemas.ApprovalBody)
    @described(routes, approve_and_pause_schemas.OrderDocument, 403, 404, 503)
    def approve_pull_request(body: dict[str, Any], owner: str, name: str, number: int) -> Response:
        """Approve the newest commit of a pull request, whose commands run then."""
        where = known_repository(desk, owner, name)
        return _ordered(
            approve_pause_resume.approve_pull_request(
                site, where, number, body["commit"], acting_person()
            )
        )

    @routes.get("/pauses")
    @described(routes, approve_and_pause_schemas.PausesDocument)
    def pauses() -> Response:
        """List what is paused, of the whole server and of repositories that you may read."""
        return jsonify(pauses=[order_document(order) for order in visible_pauses(desk)])

    @routes.post("/repositories/<owner>/<name>/pause")
    @routes.arguments(approve_and_pause_schemas.PauseBody)
    @described(routes, approve_and_pause_schemas.OrderDocument, 404)
    def pause_repository(body: dict[str, Any], owner: str, name: str) -> Response:
        """Have no more jobs of a repository, or of one of its pipelines, begin."""
        where = known_repository(desk, owner, name)
        return _ordered(approve_pause_resume.pause(site, where, body["pipeline"], acting_person()))

    @routes.post("/repositories/<owner>/<name>/resume")
    @routes.arguments(approve_and_pause_schemas.PauseBody)
    @described(routes, approve_and_pause_schemas.OrderDocument, 404)
    def resume_repository(body: dict[str, Any], owner: str, name: str) -> Response:
        """End a pause of a repository, or of one of its pipelines."""
        where = known_repository(desk, owner, name)
        return _ordered(approve_pause_resume.resume(site, where, body["pipeline"], acting_person()))

    @routes.post("/pause")
    @described(routes, approve_and_pause_schemas.OrderDocument, 404)
    def pause_all() -> Response:
        """Have no more jobs of this server begin; for its operators."""
        return _ordered(approve_pause_resume.pause(site, "", "", acting_person()))

    @routes.post("/resume")
    @described(routes, approve_and_pause_schemas.OrderDocument, 404)
    def resume_all() -> Response:
        """End the pause of this server."""
        return _ordered(approve_pause_resume.resume(site, "", "", acting_person()))


def known_repository(desk: PageContext, owner: str, name: str) -> str:
    """A repository that is processed here.

    :raises NotFound: when it is not.
    """
    whole = f"{owner}/{name}"
    if whole not in desk.lately("repositories", desk.repositories):
        raise NotFound(not_found_texts.REPOSITORY)
    return whole


def _ordered(order: Order) -> Response:
    return jsonify(order_document(order))
