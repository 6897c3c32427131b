"""The API's page, from its description; the server writes it, and nothing is asked of other hosts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response

from tea_runner.web.page_context import PageContext

#: A text in pieces, each with whether it is code.
Pieces = tuple[tuple[str, bool], ...]


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One request of the API."""

    method: str
    path: str
    #: What it does, in pieces.
    text: Pieces
    #: (name, where, whether it is required, description).
    parameters: tuple[tuple[str, str, bool, Pieces], ...]
    #: (status, name of the document).
    answers: tuple[tuple[str, str], ...]


def add_api_page(routes: Blueprint, desk: PageContext) -> None:
    """Add ``/api``."""
    operations: list[Operation] = []

    def page() -> Response:
        if not operations:
            from tea_runner.web.api.openapi import openapi_document

            operations.extend(read_operations(openapi_document()))
        return desk.answer(
            "api.html",
            {},
            as_json=False,
            operations=operations,
            command="tea-runner --server URL --help",
        )

    routes.add_url_rule("/api", "api", page)


def read_operations(document: Mapping[str, Any]) -> list[Operation]:
    """All requests of an OpenAPI document, by path."""
    return [
        _operation(document, path, method, row)
        for path, methods in sorted(document["paths"].items())
        for method, row in sorted(methods.items())
        if method in ("get", "post")
    ]


def _operation(
    document: Mapping[str, Any], path: str, method: str, row: Mapping[str, Any]
) -> Operation:
    above = [each for each in document["paths"][path].get("parameters", ()) if "name" in each]
    parameters = [each for each in (*above, *row.get("parameters", ())) if "name" in each]
    found = [
        (each["name"], each["in"], bool(each.get("required")), _pieces(each.get("description", "")))
        for each in parameters
    ]
    body = row.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    if body is not None:
        shape = document["components"]["schemas"].get(_name(body), {})
        needed = shape.get("required", ())
        found += [
            (name, "body", name in needed, _pieces(field.get("description", "")))
            for name, field in shape.get("properties", {}).items()
        ]
    answers = tuple((status, _document(answer)) for status, answer in row["responses"].items())
    return Operation(
        method=method.upper(),
        path=path,
        text=_pieces(f"{row.get('summary', '')} {row.get('description', '')}"),
        parameters=tuple(found),
        answers=tuple(sorted(each for each in answers if each[0].isdigit())),
    )


def _pieces(text: str) -> Pieces:
    """A text in which code stands between double backticks, on one line."""
    pieces = " ".join(text.split()).split("``")
    return tuple((piece, number % 2 == 1) for number, piece in enumerate(pieces) if piece)


def _document(answer: Mapping[str, Any]) -> str:
    for kind, content in answer.get("content", {}).items():
        return _name(content.get("schema", {})) or kind
    return ""


def _name(schema: Mapping[str, Any]) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]
