"""Shapes of orders: pauses, approvals, and the pull requests that wait for one."""

from __future__ import annotations

from typing import get_args

from marshmallow import Schema, fields, validate

from tea_runner.core.planning.approval_or_pause import OrderKind
from tea_runner.web.api.schemas import InstantField


class PauseBody(Schema):
    """What is paused, or goes on."""

    pipeline = fields.String(
        load_default="",
        validate=validate.Length(max=200),
        metadata={"description": "Its name; empty for all pipelines."},
    )


class OrderDocument(Schema):
    """A pause, its end, or an approval."""

    order = fields.String(required=True, validate=validate.OneOf(get_args(OrderKind)))
    place = fields.String(required=True, metadata={"description": "What it is about, in words."})
    repository = fields.String(required=True, metadata={"description": "Empty for all."})
    pipeline = fields.String(required=True, metadata={"description": "Empty for all."})
    branch = fields.String(required=True)
    commit = fields.String(required=True)
    by = fields.String(required=True)
    at = InstantField(required=True)


class ApprovalBody(Schema):
    """What is approved."""

    commit = fields.String(
        required=True,
        validate=validate.Regexp("^[0-9a-f]{40}([0-9a-f]{24})?$"),
        metadata={"description": "The whole id of the newest commit of the pull request."},
    )


class PullRequestDocument(Schema):
    """An open pull request."""

    number = fields.Integer(required=True)
    title = fields.String(required=True)
    author = fields.String(required=True)
    url = fields.String(required=True)
    commit = fields.String(required=True, metadata={"description": "The newest one."})
    target = fields.String(required=True)
    waits_for_approval = fields.Boolean(required=True)
    run = fields.String(required=True, metadata={"description": "Of that commit; or empty."})


class PullRequestsDocument(Schema):
    """Open pull requests, the newest first."""

    pull_requests = fields.List(fields.Nested(PullRequestDocument), required=True)


class PausesDocument(Schema):
    """What is paused, the latest first."""

    pauses = fields.List(fields.Nested(OrderDocument), required=True)
