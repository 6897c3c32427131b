"""Routes that planners answer: plan, status, why and lineage of the commit of a run."""

from __future__ import annotations

import time
from threading import BoundedSemaphore
from typing import Any

from flask import Response, jsonify
from flask_smorest import Blueprint

from tea_runner.core.errors import NotFound, OutsideError, Refused, UserError
from tea_runner.core.planning.question import QuestionKind, RunQuestion
from tea_runner.web.api import question_schemas, schemas
from tea_runner.web.page_context import PageContext

#: Seconds that a request waits, and requests of one process that wait at once.
_PATIENCE, _MOST = 20.0, 8
_PAUSE = 0.1


def add_question_routes(routes: Blueprint, desk: PageContext) -> None:
    """Add them."""
    waiting = BoundedSemaphore(_MOST)

    def ask(run: str, kind: QuestionKind, **about: Any) -> Response:
        head = desk.run(run)[0].run
        question = RunQuestion(
            kind=kind, repository=head.repository, branch=head.branch, commit=head.commit, **about
        )
        if not waiting.acquire(blocking=False):
            raise OutsideError("too many questions wait for a planner", hint="ask again later")
        try:
            return jsonify(_answer(desk, question))
        finally:
            waiting.release()

    @routes.get("/runs/<run>/plan")
    @routes.arguments(question_schemas.PipelineQuery, location="query")
    @routes.response(200, question_schemas.AnswerDocument)
    @routes.alt_response(400, schema=schemas.ErrorDocument)
    @routes.alt_response(404, schema=schemas.ErrorDocument)
    @routes.alt_response(503, schema=schemas.ErrorDocument)
    def plan(query: dict[str, Any], run: str) -> Response:
        """Show what would run now for the commit of a run, and why."""
        return ask(run, "plan", pipelines=tuple(query["pipeline"]))

    @routes.get("/runs/<run>/status")
    @routes.arguments(question_schemas.PipelineQuery, location="query")
    @routes.response(200, question_schemas.AnswerDocument)
    @routes.alt_response(400, schema=schemas.ErrorDocument)
    @routes.alt_response(404, schema=schemas.ErrorDocument)
    @routes.alt_response(503, schema=schemas.ErrorDocument)
    def status(query: dict[str, Any], run: str) -> Response:
        """Show which results are current, stale or missing."""
        return ask(run, "status", pipelines=tuple(query["pipeline"]))

    @routes.get("/runs/<run>/why")
    @routes.arguments(question_schemas.WhyQuery, location="query")
    @routes.response(200, question_schemas.AnswerDocument)
    @routes.alt_response(400, schema=schemas.ErrorDocument)
    @routes.alt_response(404, schema=schemas.ErrorDocument)
    @routes.alt_response(503, schema=schemas.ErrorDocument)
    def why(query: dict[str, Any], run: str) -> Response:
        """Explain why a datum runs or is known, or what made a file."""
        return ask(run, "why", about=query["name"])

    @routes.get("/runs/<run>/lineage")
    @routes.arguments(question_schemas.LineageQuery, location="query")
    @routes.response(200, question_schemas.AnswerDocument)
    @routes.alt_response(400, schema=schemas.ErrorDocument)
    @routes.alt_response(404, schema=schemas.ErrorDocument)
    @routes.alt_response(503, schema=schemas.ErrorDocument)
    def lineage(query: dict[str, Any], run: str) -> Response:
        """Trace a result to its inputs, or an input to results."""
        return ask(run, "lineage", about=query["path"], downstream=query["downstream"])


def _answer(desk: PageContext, question: RunQuestion) -> Any:
    """The answer of a planner.

    :raises OutsideError: when none has answered in time.
    :raises TeaError: what the planner says.
    """
    questions, until = desk.site.questions, time.monotonic() + _PATIENCE
    found = questions.answer(question)
    if found is None:
        questions.ask(question)
    while found is None:
        if time.monotonic() >= until:
            raise OutsideError(
                f"no planner has answered within {_PATIENCE:.0f} seconds", hint="ask again later"
            )
        time.sleep(_PAUSE)
        found = questions.answer(question)
    if "error" in found:
        kinds = {403: Refused, 404: NotFound, 503: OutsideError}
        raise kinds.get(int(found.get("status", 400)), UserError)(str(found["error"]))
    return found
