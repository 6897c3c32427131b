"""Badges of branches: ``/badge/OWNER/REPO/BRANCH.svg``, of one pipeline with ``?pipeline=NAME``.

Forges load pictures through a proxy that signs nobody in.  So badges are of repositories that everybody
may read; of all others, and of unknown ones, the answer is the same 404.
"""

from __future__ import annotations

import hashlib
import time

from flask import Blueprint, Response, request

from tea_runner.core.deliveries.registered_webhook import matches_repository
from tea_runner.core.errors import TeaError
from tea_runner.core.planning.run import Run
from tea_runner.core.planning.run_status import RunStatus
from tea_runner.core.planning.states import State
from tea_runner.present.badge_svg import badge_svg
from tea_runner.web.page_context import PageContext

#: Runs before the latest that are looked at where that one was replaced, or skipped.
_BEFORE = 10
#: Seconds between two questions which repositories are public.
_ASKED = 60.0
#: Forges' proxies ask again each time, and the picture is sent only when it has changed.
_CACHING = "no-cache, max-age=0"


def add_badges(routes: Blueprint, desk: PageContext) -> None:
    """Add the badges to the pages."""
    public = _PublicRepositories(desk)
    routes.add_url_rule(
        "/badge/<owner>/<name>/<path:branch>.svg",
        "badge",
        lambda owner, name, branch: _badge(desk, public, f"{owner}/{name}", branch),
    )


class _PublicRepositories:
    """The repositories that everybody may see, found together: no name takes longer than another."""

    def __init__(self, desk: PageContext) -> None:
        self._desk = desk
        self._known: tuple[float, frozenset[str]] | None = None

    def __contains__(self, repository: str) -> bool:
        now = time.monotonic()
        if self._known is None or now - self._known[0] > _ASKED:
            names = self._desk.repositories()
            self._known = now, frozenset(name for name in names if _is_public(self._desk, name))
        return repository in self._known[1]


def _badge(
    desk: PageContext, public: _PublicRepositories, repository: str, branch: str
) -> Response:
    if repository not in public:
        return Response("badge not found\n", 404, mimetype="text/plain")
    pipeline = request.args.get("pipeline", "")
    run = desk.lately(("badge", repository, branch), lambda: _latest(desk, repository, branch))
    picture = badge_svg(pipeline or "tea-runner", _state(desk, run, pipeline) if run else None)
    response = Response(picture, mimetype="image/svg+xml")
    response.headers["Cache-Control"] = _CACHING
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response.set_etag(hashlib.sha256(picture.encode("utf-8", "replace")).hexdigest()[:32])
    response.make_conditional(request)
    return response


def _is_public(desk: PageContext, repository: str) -> bool:
    """Whether everybody may see a repository that is processed here: as the forge or the operator says."""
    shown = desk.site.settings.pages.public
    if any(matches_repository(pattern, repository) for pattern in shown):
        return True
    try:
        return desk.site.forge_facts.audience(repository).visibility == "public"
    except TeaError:
        return False


def _latest(desk: PageContext, repository: str, branch: str) -> Run | None:
    """The latest run of a branch that says something of its results."""
    run = desk.site.runs.get(desk.site.runs.current(repository, branch))
    for _ in range(_BEFORE):
        if run is None or not run.superseded or not run.previous:
            break
        run = desk.site.runs.get(run.previous)
    return run


def _state(desk: PageContext, run: Run, pipeline: str) -> State | None:
    status: RunStatus = desk.listed([run])[0]
    if not pipeline:
        return status.state
    return next((row.state for row in status.pipelines if row.name == pipeline), None)
