"""Server-sent events: a page that changed says so, and a log sends its new lines.

A stream costs a greenlet and, once a second for all that watch the same, a look at Redis.  It ends after
an hour; browsers connect again by themselves and say what they got last.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Hashable, Iterator

from flask import Blueprint, Response, request

from tea_runner.core.errors import NotFound, QueueError
from tea_runner.core.planning.run_status import RunStatus
from tea_runner.core.registered_webhook import is_repository_name
from tea_runner.web import not_found_texts
from tea_runner.web.log_lines import next_part
from tea_runner.web.page_context import PageContext

#: Seconds between two looks, between two signs of life, and until a stream ends.
_PAUSE, _ALIVE, _LONGEST = 1.0, 15.0, 3600.0


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
    seen, ended = look()

    def events() -> Iterator[str]:
        nonlocal seen
        yield "retry: 3000\n\n"
        if ended:
            yield _event("end", "")
            return
        begun = alive = time.monotonic()
        while (now := time.monotonic()) - begun < _LONGEST:
            try:
                found, over = look()
            except NotFound:
                yield _event("end", "")
                return
            except QueueError:
                found, over = seen, False
            if found != seen:
                seen, alive = found, now
                yield _event("change", "")
            if over:
                yield _event("end", "")
                return
            if now - alive > _ALIVE:
                alive = now
                yield ": alive\n\n"
            time.sleep(_PAUSE)

    return _stream(events())


def _log(desk: PageContext, job: str) -> Response:
    """The new lines of a log, from the place that the client names or has got last."""
    desk.job(job)
    place = request.headers.get("Last-Event-ID") or request.args.get("from", "")
    log = desk.site.log(job)
    shown = -1

    def events() -> Iterator[str]:
        nonlocal place, shown
        yield "retry: 3000\n\n"
        begun = alive = time.monotonic()
        while (now := time.monotonic()) - begun < _LONGEST:
            try:
                facts = desk.lately(("job", job), lambda: desk.job(job))
                ended = facts.state not in ("waiting", "running")
                size = desk.lately(("log", job), log.size)
                offset = int(place.partition("-")[0] or 0) if place[:1].isdigit() else 0
                if size < offset:
                    # Another attempt has begun a new log.
                    yield _event("restart", "")
                    return
                # Half a line waits for its end.
                html = ""
                if size != shown or ended:
                    part = next_part(log, place, ended=ended)
                    html, shown = part.html, size
            except NotFound:
                yield _event("end", "")
                return
            except (QueueError, ValueError):
                time.sleep(_PAUSE)
                continue
            if html:
                place, alive, shown = part.place, now, -1
                yield _event("lines", json.dumps(html), place)
                continue
            if ended:
                yield _event("end", "")
                return
            if now - alive > _ALIVE:
                alive = now
                yield ": alive\n\n"
            time.sleep(_PAUSE)

    return _stream(events())


def _event(name: str, data: str, place: str = "") -> str:
    head = f"id: {place}\n" if place else ""
    return f"{head}event: {name}\ndata: {data}\n\n"


def _stream(events: Iterator[str]) -> Response:
    response = Response(events, mimetype="text/event-stream")
    response.headers["Cache-Control"] = "no-store"
    # Proxies such as nginx pass each event on at once.
    response.headers["X-Accel-Buffering"] = "no"
    return response
