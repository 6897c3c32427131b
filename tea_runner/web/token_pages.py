"""Page of a person's tokens for the API: list, make, revoke; a token is shown once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, redirect, request, url_for

from tea_runner.core.errors import Refused, UserError
from tea_runner.web.page_context import PageContext
from tea_runner.web.visitor import Visitor, visitor

_DAYS = (7, 30, 90, 365)
_MOST = 50


def add_token_pages(routes: Blueprint, desk: PageContext) -> None:
    """Add ``/tokens``."""
    routes.add_url_rule("/tokens", "tokens", lambda: _list(desk), methods=["GET"])
    routes.add_url_rule("/tokens", "make_token", lambda: _make(desk), methods=["POST"])
    routes.add_url_rule("/tokens/revoke", "revoke_token", lambda: _revoke(desk), methods=["POST"])


def _owner() -> tuple[Visitor, Mapping[str, Any]]:
    """Who has signed in, with the fields of the session.

    :raises Refused: for requests with a token: no token makes or lists others.
    """
    who = visitor()
    fields = who.session_fields()
    if fields is None:
        raise Refused("sign in to see your tokens", hint="a token makes no other")
    return who, fields


def _list(desk: PageContext, made: str = "") -> Response:
    who, _ = _owner()
    return desk.answer(
        "tokens.html",
        {},
        as_json=False,
        tokens=desk.site.tokens.listed(who.viewer.name),
        made=made,
        days=_DAYS,
        command="tea-runner --server URL runs",
    )


def _make(desk: PageContext) -> Response:
    who, fields = _owner()
    name = " ".join(request.form.get("name", "").split())[:80]
    scope, days = request.form.get("scope", ""), request.form.get("days", 0, type=int)
    if not name or scope not in ("read", "write") or days not in _DAYS:
        raise UserError("a token has a name, a scope (read or write) and a number of days")
    if len(desk.site.tokens.listed(who.viewer.name)) >= _MOST:
        raise UserError(f"you have {_MOST} tokens", hint="revoke one that you do not need")
    token = desk.site.tokens.make(
        who.viewer.name,
        fields,
        name=name,
        scope="write" if scope == "write" else "read",
        days=days,
    )
    return _list(desk, token)


def _revoke(desk: PageContext) -> Response:
    who, _ = _owner()
    desk.site.tokens.revoke(who.viewer.name, request.form.get("id", "")[:64])
    return redirect(url_for("pages.tokens"), 303)  # type: ignore[return-value]
