"""Routes that planners answer: plan, status, why and lineage of the commit of a run."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify
from flask_smorest import Blueprint

from tea_runner.core.planning.planner_query import QuestionKind, RunQuestion
from tea_runner.web import query_planner
from tea_runner.web.api import plan_status_why_schemas
from tea_runner.web.api.route_description import described
from tea_runner.web.page_context import PageContext


def add_question_routes(routes: Blueprint, desk: PageContext) -> None:
    """Add them."""

    def ask(run: str, kind: QuestionKind, **about: Any) -> Response:
        head = desk.run(run)[0].run
        question = RunQuestion(
            kind=kind, repository=head.repository, branch=head.branch, commit=head.commit, **about
        )
        return jsonify(query_planner.ask(desk.site, question))

    @routes.get("/runs/<run>/plan")
    @routes.arguments(plan_status_why_schemas.PipelineQuery, location="query")
    @described(routes, plan_status_why_schemas.AnswerDocument, 400, 404, 503)
    def plan(query: dict[str, Any], run: str) -> Response:
        """Show what would run now for the commit of a run, and why."""
        return ask(run, "plan", pipelines=tuple(query["pipeline"]))

    @routes.get("/runs/<run>/status")
    @routes.arguments(plan_status_why_schemas.PipelineQuery, location="query")
    @described(routes, plan_status_why_schemas.AnswerDocument, 400, 404, 503)
    def status(query: dict[str, Any], run: str) -> Response:
        """Show which results are current, stale or missing."""
        return ask(run, "status", pipelines=tuple(query["pipeline"]))

    @routes.get("/runs/<run>/why")
    @routes.arguments(plan_status_why_schemas.WhyQuery, location="query")
    @described(routes, plan_status_why_schemas.AnswerDocument, 400, 404, 503)
    def why(query: dict[str, Any], run: str) -> Response:
        """Explain why a datum runs or is known, or what made a file."""
        return ask(run, "why", about=query["name"])

    @routes.get("/runs/<run>/lineage")
    @routes.arguments(plan_status_why_schemas.LineageQuery, location="query")
    @described(routes, plan_status_why_schemas.AnswerDocument, 400, 404, 503)
    def lineage(query: dict[str, Any], run: str) -> Response:
        """Trace a result to its inputs, or an input to results."""
        return ask(run, "lineage", about=query["path"], downstream=query["downstream"])
