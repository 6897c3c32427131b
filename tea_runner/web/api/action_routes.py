"""Routes that act: cancel, retry, recompute, for who may write to the repository."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify
from flask_smorest import Blueprint

from tea_runner.flow import run_actions
from tea_runner.web.action_pages import acting_person
from tea_runner.web.api import schemas
from tea_runner.web.page_context import PageContext


def add_action_routes(routes: Blueprint, desk: PageContext) -> None:
    """Add them."""
    site = desk.site

    @routes.post("/runs/<run>/cancel")
    @routes.response(200, schemas.CancelledDocument)
    @routes.alt_response(404, schema=schemas.ErrorDocument)
    def cancel_run(run: str) -> Response:
        """Cancel the jobs of a run; what is done is kept."""
        whole, _ = desk.run(run)
        ids = [job for pipeline in whole.pipelines for job in pipeline.jobs]
        return jsonify(run_actions.cancel_jobs(site, ids, run, acting_person()))

    @routes.post("/jobs/<job>/cancel")
    @routes.response(200, schemas.CancelledDocument)
    @routes.alt_response(404, schema=schemas.ErrorDocument)
    def cancel_job(job: str) -> Response:
        """Cancel a job."""
        desk.job(job)
        found = site.runs.run_of_job(job)
        run = found.id if found is not None else ""
        return jsonify(run_actions.cancel_jobs(site, [job], run, acting_person()))

    @routes.post("/runs/<run>/retry")
    @routes.response(200, schemas.RequestedDocument)
    @routes.alt_response(404, schema=schemas.ErrorDocument)
    def retry_run(run: str) -> Response:
        """Run failed, cancelled and waiting datums of a run again, now."""
        return _requested(run_actions.retry(site, desk.run(run)[0], acting_person()))

    @routes.post("/jobs/<job>/retry")
    @routes.response(200, schemas.RequestedDocument)
    @routes.alt_response(404, schema=schemas.ErrorDocument)
    def retry_job(job: str) -> Response:
        """Run the datums of a job again that failed, were cancelled or wait."""
        return _requested(run_actions.retry(site, desk.job(job), acting_person()))

    @routes.post("/runs/<run>/recompute")
    @routes.arguments(schemas.RecomputeBody)
    @routes.response(200, schemas.RequestedDocument)
    @routes.alt_response(404, schema=schemas.ErrorDocument)
    def recompute_run(body: dict[str, Any], run: str) -> Response:
        """Compute known results of a run again; what differs is replaced."""
        whole, _ = desk.run(run)
        wanted, keys = run_actions.datums_of_run(whole.run, body["names"])
        return _requested(run_actions.recompute(site, whole, wanted, keys, acting_person()))

    @routes.post("/jobs/<job>/recompute")
    @routes.response(200, schemas.RequestedDocument)
    @routes.alt_response(404, schema=schemas.ErrorDocument)
    def recompute_job(job: str) -> Response:
        """Compute the results of a job again."""
        record = desk.job(job)
        wanted, keys = run_actions.datums_of_job(record)
        return _requested(run_actions.recompute(site, record, wanted, keys, acting_person()))


def _requested(done: run_actions.Requested) -> Response:
    return jsonify(
        repository=done.repository,
        branch=done.branch,
        datums=done.datums,
        run=done.run.id if done.run is not None else "",
    )
