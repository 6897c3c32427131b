"""The route that has the schedules of a pipeline tick now, for who may write to the repository."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Response, jsonify
from flask_smorest import Blueprint
from marshmallow import Schema, fields, validate

from tea_runner.core.planning.tick_names import tick_name
from tea_runner.flow.trigger_actions import trigger
from tea_runner.web.action_pages import acting_person
from tea_runner.web.api import schemas
from tea_runner.web.api.order_routes import known_repository
from tea_runner.web.page_context import PageContext


class TriggerBody(Schema):
    """What ticks."""

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


class TriggerDocument(Schema):
    """A tick that was asked for."""

    repository = fields.String(required=True)
    branch = fields.String(required=True)
    pipeline = fields.String(required=True)
    tick = fields.String(required=True, metadata={"description": "Its time, which names it."})
    run = fields.String(required=True, metadata={"description": "The new run; or empty."})


def add_trigger_routes(routes: Blueprint, desk: PageContext) -> None:
    """Add it."""
    site = desk.site

    @routes.post("/repositories/<owner>/<name>/trigger")
    @routes.arguments(TriggerBody)
    @routes.response(200, TriggerDocument)
    @routes.alt_response(400, schema=schemas.ErrorDocument)
    @routes.alt_response(404, schema=schemas.ErrorDocument)
    @routes.alt_response(503, schema=schemas.ErrorDocument)
    def trigger_pipeline(body: dict[str, Any], owner: str, name: str) -> Response:
        """Have the schedules of a pipeline tick now."""
        where = known_repository(desk, owner, name)
        branch = body["branch"] or site.forge_facts.branch_protection(where).default
        tick = tick_name(datetime.now(UTC))
        run = trigger(site, where, branch, body["pipeline"], tick, acting_person())
        return jsonify(
            repository=where,
            branch=branch,
            pipeline=body["pipeline"],
            tick=tick,
            run=run.id if run is not None else "",
        )
