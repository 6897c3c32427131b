"""Sign in and out: with a token, or with the account of a forge."""

from __future__ import annotations

import base64

from flask import Blueprint, Response, make_response, redirect, render_template, request

from tea_runner.settings import Settings
from tea_runner.web.access_parts import AccessParts, access_parts
from tea_runner.web.visitor import begin_session, end_session, same
from tea_runner.wiring import Site


def sign_in_blueprint(site: Site) -> Blueprint:
    """The routes ``/sign-in`` and ``/sign-out``."""
    settings, parts = site.settings, access_parts(site)
    routes = Blueprint("sign_in", __name__)

    @routes.get("/sign-in")
    def page() -> Response:
        return _page(settings, local_path(request.args.get("next", "")))

    @routes.post("/sign-in")
    def sign_in() -> Response:
        target = local_path(request.form.get("next", ""))
        fields = _session_of(settings, parts)
        if fields is None:
            return _page(settings, target, problem="This is not accepted.", status=403)
        begin_session(parts, fields)
        return redirect(request.script_root + target, 303)  # type: ignore[return-value]

    @routes.post("/sign-out")
    def sign_out() -> Response:
        end_session(parts)
        return redirect(request.script_root + "/sign-in", 303)  # type: ignore[return-value]

    return routes


def _session_of(settings: Settings, parts: AccessParts) -> dict[str, object] | None:
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
