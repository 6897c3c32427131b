"""Shapes of questions that planners answer, and of their answers."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from tea_runner.web.api.schemas import AnyQuery


class PipelineQuery(AnyQuery):
    """Which pipelines."""

    pipeline = fields.List(
        fields.String(validate=validate.Length(1, 200)),
        load_default=list,
        validate=validate.Length(max=100),
        metadata={"description": "Names; all without any."},
    )


class WhyQuery(AnyQuery):
    """What is explained."""

    name = fields.String(
        required=True,
        validate=validate.Length(1, 4096),
        metadata={"description": "A datum, 8 or more digits of its key, or a path in the dataset."},
    )


class LineageQuery(AnyQuery):
    """What is traced."""

    path = fields.String(
        required=True,
        validate=validate.Length(1, 4096),
        metadata={"description": "A file or folder of the dataset."},
    )
    downstream = fields.Boolean(
        load_default=False, metadata={"description": "Trace to the results that were made from it."}
    )


class AnswerDocument(Schema):
    """What a planner says, at the newest results of the commit if its branch has it still."""

    commit = fields.String(required=True, metadata={"description": "The commit looked at."})
    lines = fields.List(
        fields.String(), required=True, metadata={"description": "The answer for a terminal."}
    )
    document = fields.Dict(
        keys=fields.String(),
        required=True,
        metadata={"description": "The answer as the terminal's --json; known datums left out."},
    )
