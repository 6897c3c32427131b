"""Health and readiness checks, and the version: ``/healthz``, ``/readyz`` and ``/version``."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from flask import Blueprint, Response, jsonify

from tea_runner import __version__
from tea_runner.core.errors import TeaError
from tea_runner.web.visitor import visitor
from tea_runner.web.web_dependencies import WebDependencies


def health_blueprint(parts: WebDependencies) -> Blueprint:
    """Create the routes; the state of each check is for operators and holders of the metrics' token.

    A server without planner, workers or a forge that answers keeps deliveries: it is ready, and says so.
    """
    routes = Blueprint("health", __name__)

    @routes.get("/healthz")
    def healthz() -> Response:
        return jsonify(status="ok")

    @routes.get("/version")
    def version() -> Response:
        return jsonify(version=__version__)

    @routes.get("/readyz")
    def readyz() -> Response:
        checks = {name: check() for name, check in parts.ready.items()}
        wrong = {name: said for name, said in checks.items() if said}
        notes: Mapping[str, str] = {}
        if not wrong:
            with contextlib.suppress(TeaError):
                notes = parts.notes()
        status = "not ready" if wrong else "degraded" if notes else "ready"
        found = {name: said or "ok" for name, said in [*checks.items(), *notes.items()]}
        response = (
            jsonify(status=status, checks=found) if _shows_checks() else jsonify(status=status)
        )
        response.status_code = 503 if wrong else 200
        return response

    return routes


def _shows_checks() -> bool:
    try:
        viewer = visitor().viewer
    except TeaError:
        return False  # nobody can say who asks
    return viewer.is_operator or viewer.is_monitor
