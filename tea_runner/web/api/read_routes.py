"""Routes that read: repositories, runs, datums, jobs, logs, workers."""

from __future__ import annotations

import re
from itertools import islice
from typing import Any

from flask import Response, jsonify
from flask_smorest import Blueprint

from tea_runner.core.access import AccessLevel
from tea_runner.core.deliveries.registered_webhook import is_repository_name
from tea_runner.core.errors import NotFound
from tea_runner.core.planning.run import RECOMPUTE, RETRY
from tea_runner.core.planning.run_status import run_status
from tea_runner.present.json_documents import (
    datum_document,
    job_document,
    run_document,
    run_head,
)
from tea_runner.web import not_found_texts
from tea_runner.web.api import schemas
from tea_runner.web.api.route_description import described
from tea_runner.web.job_pages import send_log
from tea_runner.web.live_update_routes import follow_log
from tea_runner.web.page_context import PageContext
from tea_runner.web.service_pages import workers_document
from tea_runner.web.visitor import visitor

#: Runs that a list looks at.
_MOST_RUNS = 2000
_JOB = re.compile(r"[0-9a-f]{6,32}")


def add_read_routes(routes: Blueprint, desk: PageContext) -> None:
    """Add them."""

    @routes.get("/repositories")
    @described(routes, schemas.RepositoriesDocument)
    def repositories() -> Response:
        """List the repositories that you may read."""
        names = desk.lately("repositories", desk.repositories)
        rows = [
            {
                "name": name,
                "access": "write" if level >= AccessLevel.WRITE else "read",
                "last_run": next(map(run_head, desk.listed(desk.site.runs.recent(1, name))), None),
            }
            for name, level in visitor().levels(names).items()
            if level >= AccessLevel.READ
        ]
        return jsonify(repositories=rows)

    @routes.get("/runs")
    @routes.arguments(schemas.RunsQuery, location="query")
    @described(routes, schemas.RunsDocument)
    def runs(query: dict[str, Any]) -> Response:
        """List runs, the newest first: of a repository, or of all that you may read."""
        heads = desk.site.runs.recent(_MOST_RUNS, query["repository"])
        mine = visitor().readable({head.repository for head in heads})
        heads = [head for head in heads if head.repository in mine]
        start = (query["page"] - 1) * query["per_page"]
        rows = (
            row
            for head in heads[: None if "state" in query else start + query["per_page"] + 1]
            for row in desk.listed([head])
            if query.get("state") in (None, row.state)
        )
        found = [run_head(row) for row in islice(rows, start, start + query["per_page"] + 1)]
        more = len(found) > query["per_page"]
        return jsonify(page=query["page"], runs=found[: query["per_page"]], has_more=more)

    @routes.get("/find")
    @routes.arguments(schemas.FindQuery, location="query")
    @described(routes, schemas.FoundDocument, 404)
    def find(query: dict[str, Any]) -> Response:
        """Find a run or a job by what people call it."""
        return jsonify(_find(desk, query["name"]))

    @routes.get("/runs/<run>")
    @described(routes, schemas.RunDocument, 404)
    def run(run: str) -> Response:
        """Show a run with its pipelines and datums."""
        return jsonify(run_document(desk.run(run)[0]))

    @routes.get("/runs/<run>/datums")
    @routes.arguments(schemas.DatumsQuery, location="query")
    @described(routes, schemas.DatumsDocument, 404)
    def datums(query: dict[str, Any], run: str) -> Response:
        """List the datums of a run, in pages, filtered and searched."""
        view = desk.run_view(run)
        names = [pipeline.name for pipeline in view.run.pipelines]
        number = None
        if query["pipeline"]:
            number = names.index(query["pipeline"]) if query["pipeline"] in names else len(names)
        found = view.table.find(
            view.states, text=query["search"], state=query["state"], pipeline=number
        )
        start = (query["page"] - 1) * query["per_page"]
        part = found[start : start + query["per_page"]]
        rows = [datum_document(view.datum(index)) for index in part]
        return jsonify(page=query["page"], total=len(found), datums=rows)

    @routes.get("/jobs/<job>")
    @described(routes, schemas.JobDocument, 404)
    def job(job: str) -> Response:
        """Show a job with its datums."""
        facts, found = desk.job(job), desk.site.runs.run_of_job(job)
        return jsonify(job_document(facts, run_status(found, {job: facts}) if found else None))

    @routes.get("/jobs/<job>/log")
    @routes.response(200, {"type": "string"}, content_type="text/plain")
    @routes.alt_response(206, schema={"type": "string"}, content_type="text/plain")
    @routes.alt_response(404, schema=schemas.ErrorDocument)
    @routes.alt_response(416, schema={"type": "string"}, content_type="text/plain")
    def log(job: str) -> Response:
        """Get the log of a job: whole, its last bytes (``tail``), or a range (``Range``)."""
        return send_log(desk, job)

    @routes.get("/jobs/<job>/log/events")
    @routes.arguments(schemas.FollowQuery, location="query")
    @routes.response(200, {"type": "string"}, content_type="text/event-stream")
    @routes.alt_response(404, schema=schemas.ErrorDocument)
    def log_events(query: dict[str, Any], job: str) -> Response:  # noqa: ARG001 - read by follow_log
        """Follow the log of a job, by server-sent events.

        ``text`` has a JSON string, and as its id the byte at which the next begins; ``restart`` says that
        another attempt has begun a new log, ``end`` that the job has ended.
        """
        return follow_log(desk, job)

    @routes.get("/workers")
    @described(routes, schemas.WorkersDocument)
    def workers() -> Response:
        """List workers and the lengths of queues."""
        return jsonify(workers_document(desk))


def _find(desk: PageContext, name: str) -> dict[str, str]:
    """The run or job of a name.

    :raises NotFound: when there is none, or the viewer may not read it; the forge is asked in both cases.
    """
    runs, who = desk.site.runs, visitor()
    if "/" in name and not who.reads(name if is_repository_name(name) else "-/none"):
        raise NotFound(not_found_texts.RUN)
    try:
        run = runs.find(name)
    except NotFound as error:
        ids = desk.site.jobs.ids_starting_with(name) if _JOB.fullmatch(name) else []
        records = desk.site.jobs.facts(ids[:100])
        # A planner enqueues jobs before it saves the run that lists them.
        of_job = {
            job: runs.repository_of_job(job) or (each.job.repository if each.job else "")
            for job, each in records.items()
        }
        mine = who.readable([*filter(None, of_job.values()), f"-/{name.replace('/', '-')}"])
        found = [
            job
            for job, repository in of_job.items()
            if repository in mine or who.viewer.is_operator
        ]
        if len(found) != 1:
            raise NotFound(not_found_texts.RUN) from error
        return {"run": "", "job": found[0], "next": ""}
    if not who.reads(run.repository):
        raise NotFound(not_found_texts.RUN)
    later = runs.head(runs.next(run.id))
    requested = (
        later is not None and later.commit == run.commit and later.cause in (RETRY, RECOMPUTE)
    )
    return {"run": run.id, "job": "", "next": later.id if later and requested else ""}
