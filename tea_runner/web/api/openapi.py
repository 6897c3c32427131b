"""The API as one blueprint, and its OpenAPI description.

python -m tea_runner.web.api.openapi > docs/reference/openapi.json
"""

from __future__ import annotations

import functools
import json
import sys
from typing import Any

from flask import Flask, Response, jsonify
from flask_smorest import Api, Blueprint

from tea_runner.settings import load_settings
from tea_runner.web.api import schemas
from tea_runner.web.api.approve_and_pause_routes import add_order_routes
from tea_runner.web.api.cancel_and_retry_routes import add_action_routes
from tea_runner.web.api.plan_status_why_routes import add_question_routes
from tea_runner.web.api.read_routes import add_read_routes
from tea_runner.web.api.trigger_by_hand_routes import add_trigger_routes
from tea_runner.web.page_context import PageContext
from tea_runner.wiring import Site

PREFIX = "/api/v1"


def api_blueprint(site: Site, *, described: bool = False) -> Blueprint:
    """All routes of the API.

    :param described: whether the blueprint is for the description only.
    """
    routes = Blueprint("api", __name__, url_prefix=PREFIX)
    desk = PageContext(site)
    add_read_routes(routes, desk)
    add_action_routes(routes, desk)
    add_order_routes(routes, desk)
    add_question_routes(routes, desk)
    add_trigger_routes(routes, desk)
    if not described:
        description = openapi_document()
        routes.add_url_rule(
            "/openapi.json", "openapi", lambda: jsonify(description), methods=["GET"]
        )
        routes.register_error_handler(422, _unprocessable)
    return routes


def _unprocessable(error: Any) -> tuple[Response, int]:
    """A query or a body that does not fit: which field, and why."""
    messages = getattr(error, "data", {}).get("messages", {})
    wrong = [
        f"{name}: {' '.join(map(str, said)) if isinstance(said, list) else said}"
        for part in messages.values()
        for name, said in part.items()
    ]
    return jsonify(error="; ".join(wrong) or "the request does not fit"), 422


class _DescribedApi(Api):  # type: ignore[misc]
    """Errors are documents of ours."""

    ERROR_SCHEMA = schemas.ErrorDocument


@functools.cache
def openapi_document() -> dict[str, Any]:
    """The description of the API (OpenAPI 3.1)."""
    app = Flask("tea_runner.api")
    app.config.update(API_TITLE="tea-runner", API_VERSION="1", OPENAPI_VERSION="3.1.0")
    api = _DescribedApi(app)
    token = {"type": "http", "scheme": "bearer"}
    about = (
        "A token of the forge (read:user, read:repository), one that was made on the page /tokens, or that "
        "of the server's operator."
    )
    api.spec.components.security_scheme("token", {**token, "description": about})
    site = Site(load_settings(file=None, env={"HOME": "/nonexistent"}, flags={}), {})
    api.register_blueprint(api_blueprint(site, described=True))
    found: dict[str, Any] = api.spec.to_dict()
    found["security"] = [{"token": []}]
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(openapi_document(), indent=1, sort_keys=True) + "\n")
