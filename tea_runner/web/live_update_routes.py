"""Server-sent events: a page that changed says so, and a log sends its new lines.

All that watch the same share a look at Redis a second (:mod:`tea_runner.web.event_stream_timing`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable

from flask import Blueprint, Response, request

from tea_runner.core.deliveries.registered_webhook import is_repository_name
from tea_runner.core.errors import NotFound
from tea_runner.core.planning.run_status import RunStatus
from tea_runner.web import not_found_texts
from tea_runner.web.event_stream_timing import Look, event, stream
from tea_runner.web.log_lines import PART, next_part
from tea_runner.web.page_context import PageContext


def add_event_streams(routes: Blueprint, desk: PageContext) -> None:
    """Add the streams of runs, jobs, logs and repositories."""
    routes.add_url_rule("/runs/<run>/events", "run_events", lambda run: _run(desk, run))
    routes.add_url_rule("/jobs/<job>/events", "job_events", lambda job: _job(desk, job))
    routes.add_url_rule("/jobs/<job>/log/events", "log_events", lambda job: _log(desk, job))
    routes.add_url_rule(
        "/repos/<owner>/<name>/events",
        "repository_events",
        lambda owner, name: _repository(desk, f"{owner}/{name}"),
    )


def _run(desk: PageContext, run: str) -> Response:
    def look() -> tuple[Hashable, bool]:
        view = desk.run_view(run)
        return (_fingerprint(view.status), hash(tuple(view.states))), view.status.ended

    return _changes(look)


def _job(desk: PageContext, job: str) -> Response:
    def look() -> tuple[Hashable, bool]:
        facts = desk.lately(("job", job), lambda: desk.job(job))
        ended = facts.state not in ("waiting", "running")
        return (facts.state, facts.attempt, facts.error, facts.stopping), ended

    return _changes(look)


def _repository(desk: PageContext, name: str) -> Response:
    if not is_repository_name(name) or name not in desk.lately("repositories", desk.repositories):
        raise NotFound(not_found_texts.REPOSITORY)

    def look() -> tuple[Hashable, bool]:
        heads = desk.lately(("newest", name), lambda: desk.site.runs.recent(5, name))
        return tuple(map(_fingerprint, desk.listed(heads))), False

    return _changes(look)


def _fingerprint(status: RunStatus) -> Hashable:
    run = status.run
    return run.id, status.state, tuple(status.numbers.items()), run.updated, len(status.retries)


def _changes(look: Callable[[], tuple[Hashable, bool]]) -> Response:
    """A stream of events ``change``; after the last one, ``end``.

    :param look: returns what a change changes, and whether nothing will change any more.
    """
    seen, _ = look()

    def step() -> Look:
        nonlocal seen
        found, over = look()
        changed, seen = found != seen, found
        return Look(text=event("change") if changed else "", last="end" if over else "")

    return stream(step)


def _log(desk: PageContext, job: str) -> Response:
    """The new lines of a log, from the place that the client names or has got last."""
    desk.job(job)
    place = request.headers.get("Last-Event-ID") or request.args.get("from", "")
    log = desk.site.log(job)
    shown = -1

    def step() -> Look:
        nonlocal place, shown
        facts = desk.lately(("job", job), lambda: desk.job(job))
        ended = facts.state not in ("waiting", "running")
        size = desk.lately(("log", job), log.size)
        offset = int(place.partition("-")[0] or 0) if place[:1].isdigit() else 0
        if size < offset:
            # Another attempt has begun a new log.
            return Look(last="restart")
        html = ""
        # Half a line waits for its end.
        if size != shown or ended:
            part = next_part(log, place, ended=ended)
            html, shown = part.html, size
        if not html:
            return Look(last="end" if ended else "")
        place, shown = part.place, -1
        return Look(text=event("lines", json.dumps(html), place), at_once=True)

    return stream(step)


def follow_log(desk: PageContext, job: str) -> Response:
    """The raw text of a log from a byte on, as events ``text``; the place of each is the next byte."""
    desk.job(job)
    given = request.headers.get("Last-Event-ID") or request.args.get("from", "")
    place = int(given) if given.isascii() and given.isdigit() and len(given) < 16 else 0
    log = desk.site.log(job)

    def step() -> Look:
        nonlocal place
        # State first, log second: output before the end of the job is not missed.
        facts = desk.lately(("job", job), lambda: desk.job(job))
        ended = facts.state not in ("waiting", "running")
        size = log.size()
        if size < place:
            return Look(last="restart")
        data = b"".join(log.read(place, min(size, place + PART)))
        whole = ended and place + len(data) == size
        if not whole and len(data) < PART:
            # Half a line, or half a character, waits for its end.
            data = data[: data.rfind(b"\n") + 1]
        if not data:
            return Look(last="end" if ended else "")
        place += len(data)
        text = json.dumps(data.decode("utf-8", "replace"))
        return Look(text=event("text", text, str(place)), at_once=True)

    return stream(step)
