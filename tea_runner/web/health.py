"""Health and readiness checks: ``/healthz`` and ``/readyz``."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from flask import Blueprint, Response, jsonify

from tea_runner.core.errors import TeaError
from tea_runner.web.web_dependencies import WebDependencies


def health_blueprint(parts: WebDependencies) -> Blueprint:
    """Create the two routes; they reveal nothing but the state of each check.

    A server without planner, workers or a forge that answers keeps deliveries: it is ready, and says so.
    """
    routes = Blueprint("health", __name__)

    @routes.get("/healthz")
    def healthz() -> Response:
        return jsonify(status="ok")

    @routes.get("/readyz")
    def readyz() -> Response:
        checks = {name: check() for name, check in parts.ready.items()}
        wrong = {name: said for name, said in checks.items() if said}
        notes: Mapping[str, str] = {}
        if not wrong:
            with contextlib.suppress(TeaError):
                notes = parts.notes()
        response = jsonify(
            status="not ready" if wrong else "degraded" if notes else "ready",
            checks={name: said or "ok" for name, said in [*checks.items(), *notes.items()]},
        )
        response.status_code = 503 if wrong else 200
        return response

    return routes
