"""The route that starts a pipeline by hand, for who may write to the repository."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Response, jsonify
from flask_smorest import Blueprint
from marshmallow import Schema, fields, validate

from tea_runner.core.planning.tick_names import tick_name
from tea_runner.web import query_planner
from tea_runner.web.api.approve_and_pause_routes import known_repository
from tea_runner.web.api.route_description import described
from tea_runner.web.cancel_and_retry_pages import acting_person
from tea_runner.web.page_context import PageContext


class TriggerBody(Schema):
    """What starts."""

    pipeline = fields.String(
        required=True,
        validate=validate.Length(min=1, max=200),
        metadata={"description": "Its name."},
    )
    branch = fields.String(
        load_default="",
        validate=validate.Length(max=200),
        metadata={"description": "Empty for the default branch."},
    )
    variables = fields.Dict(
        keys=fields.String(validate=validate.Length(min=1, max=200)),
        values=fields.String(validate=validate.Length(max=1000)),
        load_default=dict,
        validate=validate.Length(max=50),
        metadata={
            "description": "Values of its variables, as texts; the others get their defaults."
        },
    )


class TriggerDocument(Schema):
    """A start that was asked for."""

    repository = fields.String(required=True)
    branch = fields.String(required=True)
    pipeline = fields.String(required=True)
    tick = fields.String(required=True, metadata={"description": "Its time, which names it."})
    variables = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        required=True,
        metadata={"description": "The values that were given."},
    )
    run = fields.String(required=True, metadata={"description": "The new run; or empty."})


def add_trigger_routes(routes: Blueprint, desk: PageContext) -> None:
    """Add it."""
    site = desk.site

    @routes.post("/repositories/<owner>/<name>/trigger")
    @routes.arguments(TriggerBody)
    @described(routes, TriggerDocument, 400, 404, 503)
    def trigger_pipeline(body: dict[str, Any], owner: str, name: str) -> Response:
        """Start a pipeline by hand: its schedules tick, its triggers fire, its variables are set."""
        where = known_repository(desk, owner, name)
        branch = body["branch"] or site.forge_facts.branch_protection(where).default
        tick = tick_name(datetime.now(UTC))
        done = query_planner.act(
            site,
            "trigger",
            where,
            acting_person(),
            branch=branch,
            tick=tick,
            names=(body["pipeline"],),
            values=tuple(body["variables"].items()),
        )
        return jsonify(
            repository=where,
            branch=branch,
            pipeline=body["pipeline"],
            tick=tick,
            variables=body["variables"],
            run=done["run"],
        )
