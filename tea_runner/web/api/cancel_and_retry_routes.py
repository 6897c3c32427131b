"""Routes that act: cancel, retry, recompute, for who may write to the repository; a planner does it."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify
from flask_smorest import Blueprint

from tea_runner.web.api import schemas
from tea_runner.web.api.route_description import described
from tea_runner.web.cancel_and_retry_pages import act_on_job, act_on_run
from tea_runner.web.page_context import PageContext


def add_action_routes(routes: Blueprint, desk: PageContext) -> None:
    """Add them."""

    @routes.post("/runs/<run>/cancel")
    @described(routes, schemas.CancelledDocument, 404, 503)
    def cancel_run(run: str) -> Response:
        """Cancel the jobs of a run; what is done is kept."""
        return jsonify(act_on_run(desk, desk.run(run)[0], "cancel"))

    @routes.post("/jobs/<job>/cancel")
    @described(routes, schemas.CancelledDocument, 404, 503)
    def cancel_job(job: str) -> Response:
        """Cancel a job."""
        return jsonify(act_on_job(desk, job, "cancel"))

    @routes.post("/runs/<run>/retry")
    @described(routes, schemas.RequestedDocument, 404, 503)
    def retry_run(run: str) -> Response:
        """Run failed, cancelled and waiting datums of a run again, now."""
        return jsonify(act_on_run(desk, desk.run(run)[0], "retry"))

    @routes.post("/jobs/<job>/retry")
    @described(routes, schemas.RequestedDocument, 404, 503)
    def retry_job(job: str) -> Response:
        """Run the datums of a job again that failed, were cancelled or wait."""
        return jsonify(act_on_job(desk, job, "retry"))

    @routes.post("/runs/<run>/recompute")
    @routes.arguments(schemas.RecomputeBody)
    @described(routes, schemas.RequestedDocument, 404, 503)
    def recompute_run(body: dict[str, Any], run: str) -> Response:
        """Compute known results of a run again; what differs is replaced."""
        return jsonify(act_on_run(desk, desk.run(run)[0], "recompute", body["names"]))

    @routes.post("/jobs/<job>/recompute")
    @described(routes, schemas.RequestedDocument, 404, 503)
    def recompute_job(job: str) -> Response:
        """Compute the results of a job again."""
        return jsonify(act_on_job(desk, job, "recompute"))
