"""Pages about the service: workers and queues; versions and settings."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response

from tea_runner.present.human_units import instant
from tea_runner.settings.settings_text import show_settings
from tea_runner.web.page_context import PageContext


def add_host_pages(routes: Blueprint, desk: PageContext) -> None:
    """Add ``/workers`` and ``/about``, and their JSON."""
    routes.add_url_rule("/workers", "workers", lambda: _workers(desk, False))
    routes.add_url_rule("/workers.json", "workers_json", lambda: _workers(desk, True))
    routes.add_url_rule("/about", "about", lambda: _about(desk, False))
    routes.add_url_rule("/about.json", "about_json", lambda: _about(desk, True))


def _workers(desk: PageContext, as_json: bool) -> Response:
    fleet = desk.lately("fleet", desk.site.fleet)
    rows: list[dict[str, Any]] = []
    for worker in fleet.workers:
        row = asdict(worker)
        since, heard = row.pop("since"), row.pop("heard")
        rows.append({**row, "since_at": instant(since), "heard_at": instant(heard)})
    document = {
        "workers": rows,
        "queues": dict(fleet.queues),
        "oldest_waiting_since": instant(fleet.oldest),
        "lacking": [asdict(lack) for lack in fleet.lacking],
    }
    return desk.answer(
        "workers.html",
        document,
        as_json=as_json,
        live=True,
        fleet=fleet,
        command="tea-runner worker --help",
    )


def _about(desk: PageContext, as_json: bool) -> Response:
    values = list(show_settings(desk.site.settings))
    versions = dict(desk.site.versions)
    document = {
        "versions": versions,
        "settings": [
            {"name": name, "value": value, "source": source} for name, value, source in values
        ],
    }
    return desk.answer(
        "about.html",
        document,
        as_json=as_json,
        versions=versions,
        values=values,
        command="tea-runner config show",
    )
