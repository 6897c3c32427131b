"""Sign in and out: with a token, or with the account of a forge."""

from __future__ import annotations

import base64

from flask import Blueprint, Response, make_response, redirect, render_template, request, session

from tea_runner.core.errors import NotFound
from tea_runner.settings import Settings
from tea_runner.web import not_found_texts
from tea_runner.web.access_dependencies import AccessDependencies, access_dependencies
from tea_runner.web.visitor import begin_session, end_session, same, session_of
from tea_runner.wiring import Site

#: Failures of an address, of a user's name from anywhere, and from one address.
_OF_ADDRESS, _OF_USER, _OF_BOTH = 100, 50, 10
_TOO_OFTEN = "Too many attempts failed; wait a quarter of an hour."
_NOT_BEGUN = "This sign-in was not begun in this browser; begin again."
_DECLINED = "The forge did not let you in; begin again."


def sign_in_blueprint(site: Site) -> Blueprint:
    """The routes ``/sign-in`` and ``/sign-out``."""
    settings, parts = site.settings, access_dependencies(site)
    routes = Blueprint("sign_in", __name__)

    @routes.get("/sign-in")
    def page() -> Response:
        return _page(settings, local_path(request.args.get("next", "")))

    @routes.post("/sign-in")
    def sign_in() -> Response:
        target = local_path(request.form.get("next", ""))
        limits = _limits()
        if parts.attempts.is_over(limits):
            return _page(settings, target, problem=_TOO_OFTEN, status=429)
        fields = _session_of(settings, parts)
        if fields is None:
            parts.attempts.count(limits)
            return _page(settings, target, problem="This is not accepted.", status=403)
        begin_session(parts, fields)
        return redirect(request.script_root + target, 303)  # type: ignore[return-value]

    @routes.get("/sign-in/forge")
    def to_forge() -> Response:
        if parts.sign_in is None:
            raise NotFound(not_found_texts.PAGE)
        begun = parts.sign_in.begin()
        session["sign_in"] = {
            "state": begun.state,
            "verifier": begun.verifier,
            "next": local_path(request.args.get("next", "")),
        }
        return redirect(begun.url, 303)  # type: ignore[return-value]

    @routes.get("/sign-in/callback")
    def callback() -> Response:
        begun = session.pop("sign_in", None) or {}
        target = str(begun.get("next", "/"))
        if not same(request.args.get("state", ""), str(begun.get("state", ""))):
            return _page(settings, target, problem=_NOT_BEGUN, status=403)
        fields = _session_by_code(parts, str(begun["verifier"]))
        if fields is None:
            return _page(settings, target, problem=_DECLINED, status=403)
        begin_session(parts, fields)
        return redirect(request.script_root + target, 303)  # type: ignore[return-value]

    @routes.post("/sign-out")
    def sign_out() -> Response:
        end_session(parts)
        return redirect(request.script_root + "/sign-in", 303)  # type: ignore[return-value]

    return routes


def _limits() -> dict[str, int]:
    """Who tries to sign in, and how often this may fail in a quarter of an hour.

    Behind a proxy all have one address: there the limit of the address is that of everybody.
    """
    address, user = request.remote_addr or "", request.form.get("user", "").casefold()[:200]
    limits = {f"address {address}": _OF_ADDRESS}
    if user:
        limits |= {f"user {user}": _OF_USER, f"both {address} {user}": _OF_BOTH}
    return limits


def _session_by_code(parts: AccessDependencies, verifier: str) -> dict[str, object] | None:
    """The session of the account that the forge's code stands for; None where it declines."""
    code = request.args.get("code", "")
    grant = parts.sign_in.finish(code, verifier) if parts.sign_in and code else None
    name = parts.accounts.name(grant.credential) if grant is not None else ""
    return session_of(name, grant) if grant is not None and name else None


def _session_of(settings: Settings, parts: AccessDependencies) -> dict[str, object] | None:
    """The session of the person whose token, or name and password, the form has; None for nobody."""
    token = request.form.get("token", "").strip()
    if token and same(token, parts.token):
        return {"operator": True}
    credential = f"token {token}" if token else ""
    user, password = request.form.get("user", ""), request.form.get("password", "")
    if not token and settings.pages.passwords and user and password:
        pair = f"{user}:{password}".encode("utf-8", "surrogateescape")
        credential = f"Basic {base64.b64encode(pair).decode()}"
    name = parts.accounts.name(credential) if credential else ""
    return {"name": name, "credential": credential} if name else None


def _page(settings: Settings, target: str, *, problem: str = "", status: int = 200) -> Response:
    response = make_response(
        render_template(
            "sign_in.html",
            target=target,
            problem=problem,
            passwords=settings.pages.passwords,
            oauth=bool(settings.pages.oauth_client_id),
            forge="" if settings.forge.kind == "folder" else settings.forge.url,
            state=settings.state,
            command="tea-runner up",
        ),
        status,
    )
    response.headers["Cache-Control"] = "no-store"
    return response


def local_path(target: str) -> str:
    """A path of this server, without the prefix of ``web.url``; its start page for anything else."""
    printable = target.isprintable() and "\\" not in target
    return target if printable and target.startswith("/") and not target.startswith("//") else "/"
