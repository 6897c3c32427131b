"""Flask application of the receiver and the pages."""

from __future__ import annotations

import logging
from urllib.parse import urlsplit

from flask import Flask, Response, current_app, jsonify, make_response, render_template, request
from werkzeug.exceptions import HTTPException

from tea_runner.core.errors import TeaError
from tea_runner.web import not_found_texts
from tea_runner.web.access_gate import install_gate
from tea_runner.web.client_deadlines import ClientDeadlines
from tea_runner.web.deliveries import webhooks_blueprint
from tea_runner.web.health import health_blueprint
from tea_runner.web.host_names import HostNames
from tea_runner.web.url_prefix import UrlPrefix
from tea_runner.web.web_dependencies import WebDependencies

_log = logging.getLogger(__name__)

__all__ = ["WebDependencies", "create_app"]


def create_app(parts: WebDependencies) -> Flask:
    """Create the application: hooks, health checks, and the given blueprints."""
    app = Flask("tea_runner.web", static_folder="static", static_url_path="/static")
    # Forges do not follow redirects of a POST, so only exact paths match.
    app.url_map.strict_slashes = True
    app.url_map.redirect_defaults = False
    app.url_map.merge_slashes = False
    if parts.serves_webhooks:
        app.register_blueprint(webhooks_blueprint(parts))
    app.register_blueprint(health_blueprint(parts))
    for blueprint in parts.blueprints:
        app.register_blueprint(blueprint)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(TeaError, _tea_error)
    app.register_error_handler(Exception, _bug)
    app.after_request(_harden)
    names = HostNames(parts.settings)

    @app.before_request
    def refuse_other_hosts() -> Response | None:
        """Refuse requests for other sites; probes of health checks may use any name."""
        host = request.headers.get("Host", "")
        if request.blueprint == "health" or names.accepts(host):
            return None
        if request.blueprint == "hooks":
            parts.count("refused")
        if not host:
            return _answer(400, "the request has no Host header")
        return _answer(
            421, "this host name is not served here; the operator lists names in web.hosts"
        )

    install_gate(app, parts.settings, parts.access, parts.requirements)

    @app.after_request
    def count(response: Response) -> Response:
        # Requests with a route are counted by their view.
        if request.endpoint is None and request.path.startswith("/hooks/"):
            parts.count("refused")
        return response

    below = urlsplit(parts.settings.web.url).path.rstrip("/")
    app.wsgi_app = UrlPrefix(app.wsgi_app, below)  # type: ignore[method-assign]
    app.wsgi_app = ClientDeadlines(app.wsgi_app)  # type: ignore[method-assign]
    return app


def _harden(response: Response) -> Response:
    if response.status_code == 401:
        response.headers.setdefault("WWW-Authenticate", "Bearer")
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "no-referrer")
    response.headers.setdefault("X-Frame-Options", "DENY")
    response.headers.setdefault(
        "Content-Security-Policy",
        "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    )
    return response


def _answer(status: int, sentence: str) -> Response:
    """Make an error response: JSON for hooks and API clients, a page for browsers, else a line of text."""
    for_programs = request.path.startswith(("/hooks/", "/api/"))
    if for_programs or request.accept_mimetypes.best == "application/json":
        response = jsonify(error=sentence)
    elif "text/html" in request.accept_mimetypes.values() and "pages" in current_app.blueprints:
        title = "Not found" if status == 404 else "Error"
        words = {"title": title, "sentence_of_error": sentence, "command": "tea-runner check"}
        response = make_response(render_template("error.html", **words))
    else:
        response = Response(f"{sentence}\n", mimetype="text/plain")
    response.status_code = status
    return response


def _http_error(error: HTTPException) -> Response:
    sentences = {404: not_found_texts.PAGE, 405: "method not allowed"}
    status = error.code or 500
    response = _answer(status, sentences.get(status, error.name.lower()))
    allowed = getattr(error, "valid_methods", None)
    if allowed:
        response.headers["Allow"] = ", ".join(sorted(allowed))
    return response


def _tea_error(error: TeaError) -> Response:
    if error.http_status >= 500:
        _log.error("%s", error.message)
    return _answer(error.http_status, error.message)


def _bug(error: Exception) -> Response:
    _log.error("unexpected error: %s", error, exc_info=error)
    return _answer(500, "internal error; see the receiver's log")
