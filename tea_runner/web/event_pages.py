"""The page of events: what came by triggers, and what each led to."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from flask import Blueprint, Response, request, url_for

from tea_runner.core.planning.run import run_id
from tea_runner.core.planning.start_causes import START_KINDS
from tea_runner.present.human_units import instant
from tea_runner.web.page_context import PageContext, page_of
from tea_runner.web.visitor import visitor


def add_event_pages(routes: Blueprint, desk: PageContext) -> None:
    """Add ``/events``, and its JSON."""
    routes.add_url_rule("/events", "events", lambda: _events(desk, False))
    routes.add_url_rule("/events.json", "events_json", lambda: _events(desk, True))


def _events(desk: PageContext, as_json: bool) -> Response:
    triggers = list(desk.site.triggers.values())
    known = desk.lately("events", desk.site.events.latest)
    mine = visitor().readable({*(e.repository for e in known), *(t.repository for t in triggers)})
    wanted = request.args.get("trigger", "")[:100]
    rows = [e for e in known if e.repository in mine and wanted in ("", e.trigger)]
    shown, number, pages = page_of(rows, request.args.get("page", 1, type=int))
    counts: dict[str, dict[str, int]] = defaultdict(dict)
    for (trigger, outcome), count in desk.lately("event-counts", desk.site.events.counts).items():
        counts[trigger][outcome] = count
    sources = [
        {
            "name": each.name,
            "kind": each.kind,
            "repository": each.repository,
            "branch": each.branch,
            "folder": each.folder,
            "counts": dict(sorted(counts[each.name].items())),
        }
        for each in triggers
        if each.repository in mine and wanted in ("", each.name)
    ]
    # Schedules, people and triggers of inputs: those that the latest events name.
    started = {e.trigger: e for e in rows if e.kind in START_KINDS}
    sources += [
        {
            "name": name,
            "kind": each.kind,
            "repository": each.repository,
            "branch": each.branch,
            "folder": "",
            "counts": dict(sorted(counts[name].items())),
        }
        for name, each in sorted(started.items())
    ]
    runs = {e.commit: _run(desk, e.repository, e.branch, e.commit) for e in shown if e.commit}
    document: dict[str, Any] = {
        "page": number,
        "pages": pages,
        "triggers": sources,
        "events": [
            {
                "trigger": e.trigger,
                "event": e.event,
                "received_at": instant(e.received),
                "repository": e.repository,
                "branch": e.branch,
                "outcome": e.outcome,
                "why": e.why,
                "commit": e.commit,
                "run": e.run or runs.get(e.commit, ""),
                "files": list(e.files),
            }
            for e in shown
        ],
    }
    return desk.answer(
        "events.html",
        document,
        as_json=as_json,
        live=True,
        sources=sources,
        rows=shown,
        runs=runs,
        links={e.commit: desk.forge(e.repository, e.commit) for e in shown if e.commit},
        wanted=wanted,
        address=f"{desk.site.settings.web_url}/hooks/in/",
        page=number,
        pages=pages,
        here=url_for("pages.events"),
        command="tea-runner triggers --once",
    )


def _run(desk: PageContext, repository: str, branch: str, commit: str) -> str:
    """Id of the run that a commit led to; empty while there is none."""
    run = run_id(repository, branch, commit)
    return run if desk.site.runs.head(run) is not None else ""
