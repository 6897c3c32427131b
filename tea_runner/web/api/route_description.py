"""What a route of the API answers, for its description: one document, and errors of one form."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from flask_smorest import Blueprint
from marshmallow import Schema

from tea_runner.web.api.schemas import ErrorDocument

_View = TypeVar("_View", bound=Callable[..., object])


def described(routes: Blueprint, document: type[Schema], *errors: int) -> Callable[[_View], _View]:
    """Describe the answer of a view, and the codes of its errors."""

    def decorate(view: _View) -> _View:
        for code in errors:
            view = routes.alt_response(code, schema=ErrorDocument)(view)
        return routes.response(200, document)(view)  # type: ignore[no-any-return]

    return decorate
