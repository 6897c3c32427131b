"""The gate before all routes: finds out who asks, and refuses what this person may not see or do.

A refusal looks like the answer for something that does not exist, and asks the forge as often, so that
neither its words nor its time tell whether there is anything.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlsplit

from flask import Flask, Response, g, redirect, request, session, url_for
from markupsafe import Markup, escape

from tea_runner.core.access import AccessLevel, Requirement, is_allowed
from tea_runner.core.errors import NotFound, Refused, TeaError
from tea_runner.settings import Settings
from tea_runner.web import not_found_texts
from tea_runner.web.access_dependencies import AccessDependencies
from tea_runner.web.visitor import begin_session, csrf_token, find_visitor, same, visitor

_log = logging.getLogger(__name__)

_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
#: Largest body of a form, in bytes.
_LARGEST_FORM = 64 * 1024
#: Seconds after which a stream asks again whether it may go on.
_RECHECKED = 30.0


class SignInNeeded(Refused):
    """Sign in first."""

    http_status = 401


def install_gate(
    app: Flask,
    settings: Settings,
    parts: AccessDependencies | None,
    requirements: Mapping[str, Requirement],
) -> None:
    """Put the gate before all routes of an application.

    :param parts: None for an application that shows nothing of any repository.
    :param requirements: by endpoint.
    """
    _configure_cookies(app, settings, parts.key if parts is not None else b"")

    @app.before_request
    def gate() -> Response | None:
        g.find_visitor = lambda: find_visitor(parts, settings)
        if request.endpoint is None:
            return None
        requirement = requirements.get(request.endpoint)
        if requirement is None:
            _log.error("no requirement is declared for %s", request.endpoint)
            raise NotFound(not_found_texts.PAGE)
        if request.blueprint == "hooks":
            return None
        if parts is not None and _signs_in_by_address(parts):
            return redirect(_without_token(), 303)  # type: ignore[return-value]
        if request.method not in _SAFE_METHODS:
            _refuse_other_sites()
        if requirement is Requirement.NOTHING:
            return None
        return _judge(requirement, parts)

    @app.after_request
    def watch_stream(response: Response) -> Response:
        """Have a stream end when the viewer may no longer read what it shows."""
        if response.mimetype == "text/event-stream" and "may_go_on" in g:
            stream: Iterable[Any] = response.response
            response.response = _while_allowed(stream, g.may_go_on)
        return response

    @app.context_processor
    def words() -> dict[str, Any]:
        return {"visitor": _visitor_or_none, "csrf_field": csrf_field}


def _judge(requirement: Requirement, parts: AccessDependencies | None) -> Response | None:
    who = visitor()
    if who.only_reads and request.method not in _SAFE_METHODS:
        raise Refused("this token only reads", hint="make one with the scope write on /tokens")
    level, candidates = AccessLevel.NONE, list[str]()
    if not who.viewer.is_operator and requirement in (Requirement.READ, Requirement.WRITE):
        if not who.viewer.is_known and not who.shows_strangers:
            return _ask_to_sign_in()
        candidates = _repositories(parts)
        level = max(who.levels(candidates).values(), default=AccessLevel.NONE)
    if is_allowed(requirement, who.viewer, level, shows_strangers=who.shows_strangers):
        if requirement is Requirement.READ:
            names = [] if who.viewer.is_operator else candidates
            g.may_go_on = lambda: who.is_current() and (not names or bool(who.readable(names)))
        return None
    if not who.viewer.is_known:
        return _ask_to_sign_in()
    raise NotFound(_sentence())


def _while_allowed(stream: Iterable[Any], may_go_on: Callable[[], bool]) -> Iterator[Any]:
    """The parts of a stream; it ends within a minute after it is not allowed any more."""
    try:
        asked = time.monotonic()
        for part in stream:
            if time.monotonic() - asked > _RECHECKED:
                try:
                    if not may_go_on():
                        return
                except TeaError:
                    return
                asked = time.monotonic()
            yield part
    finally:
        close = getattr(stream, "close", None)
        if close is not None:
            close()


def _repositories(parts: AccessDependencies | None) -> list[str]:
    """The repositories that the address may be about; never none, so that the forge is asked in any case."""
    given = {name: str(value) for name, value in (request.view_args or {}).items()}
    if "owner" in given and "name" in given:
        whole = f"{given['owner']}/{given['name']}"
        return [whole, whole.removesuffix(".json")]
    for kind, find in (
        ("run", parts.repository_of_run if parts else None),
        ("job", parts.repository_of_job if parts else None),
    ):
        if kind in given and find is not None:
            name = given[kind].removesuffix(".json")
            # No owner has this name.
            return [
                find(name) or f"-/{hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()}"
            ]
    return []


def _sentence() -> str:
    given = request.view_args or {}
    return next(
        (not_found_texts.SENTENCES[kind] for kind in not_found_texts.SENTENCES if kind in given),
        not_found_texts.PAGE,
    )


def _ask_to_sign_in() -> Response:
    """The way to the sign-in, or for programs a refusal; both say nothing of what was asked for."""
    wants_page = (
        request.method in _SAFE_METHODS
        and request.accept_mimetypes.accept_html
        and not request.path.startswith("/api/")
    )
    if not wants_page or request.path.endswith((".json", "/log", "/metrics", "/events")):
        raise SignInNeeded("sign in first", hint="or send a token: Authorization: Bearer …")
    return redirect(url_for("sign_in.page", next=_here()), 303)  # type: ignore[return-value]


def _here() -> str:
    return request.full_path.rstrip("?")


def _signs_in_by_address(parts: AccessDependencies) -> bool:
    """Begin a session of the operator where the address of a page has the token."""
    given = request.args.get("token", "")
    if not given or request.method != "GET" or not same(given, parts.token):
        return False
    begin_session(parts, {"operator": True})
    return True


def _without_token() -> str:
    rest = "&".join(
        f"{quote(name)}={quote(value)}"
        for name, value in request.args.items(multi=True)
        if name != "token"
    )
    return quote(request.script_root + request.path) + (f"?{rest}" if rest else "")


def _refuse_other_sites() -> None:
    """Refuse what another site made a browser send (CSRF).

    :raises Refused: unless the request has the session's token, or its own credential.
    """
    request.max_content_length = _LARGEST_FORM
    scheme = request.headers.get("Authorization", "").partition(" ")[0].lower()
    if scheme in ("bearer", "token"):
        return
    given = request.headers.get("X-CSRF-Token") or request.form.get("csrf", "")
    if not same(given, str(session.get("csrf", ""))):
        raise Refused("this form is not of your session", hint="load the page again and repeat it")


def csrf_field() -> Markup:
    """The hidden field that each form with ``method="post"`` needs."""
    return Markup('<input type="hidden" name="csrf" value="{}">').format(escape(csrf_token()))


def _visitor_or_none() -> Any:
    """For templates, also those of error pages: None where nobody can say who asks."""
    try:
        return visitor()
    except TeaError:
        return None


def _configure_cookies(app: Flask, settings: Settings, key: bytes) -> None:
    url = urlsplit(settings.web.url)
    path = url.path.rstrip("/")
    is_https = url.scheme == "https"
    # Cookies are sent to all ports of a host: several servers of one machine need names of their own.
    name = f"tea-runner-{settings.web.port}"
    if is_https:
        name = "__Secure-tea-runner" if path else "__Host-tea-runner"
    app.secret_key = hmac.digest(key, b"cookies", "sha256") if key else None
    app.config.update(
        SESSION_COOKIE_NAME=name,
        SESSION_COOKIE_PATH=path or "/",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=is_https,
        SESSION_REFRESH_EACH_REQUEST=False,
        PERMANENT_SESSION_LIFETIME=timedelta(seconds=settings.pages.session),
    )
