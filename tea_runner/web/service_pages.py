"""Pages about the service: workers and queues; versions and settings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Any

from flask import Blueprint, Response

from tea_runner.core.planning.branch_freshness import BranchFreshness, branch_freshness
from tea_runner.core.planning.reconciler_repair import Repair
from tea_runner.core.planning.run_status import RunStatus, run_status
from tea_runner.present.human_units import instant
from tea_runner.settings.settings_text import show_settings
from tea_runner.web.approve_and_pause_pages import pause_button, pause_views
from tea_runner.web.page_context import PageContext
from tea_runner.web.visitor import visitor

#: Repositories, and runs of each, that are looked at for how fresh their results are; and rows of that.
_REPOSITORIES, _RUNS, _ROWS = 200, 20, 100


def add_host_pages(routes: Blueprint, desk: PageContext) -> None:
    """Add ``/workers`` and ``/about``, and their JSON."""
    routes.add_url_rule("/workers", "workers", lambda: _workers(desk, False))
    routes.add_url_rule("/workers.json", "workers_json", lambda: _workers(desk, True))
    routes.add_url_rule("/about", "about", lambda: _about(desk, False))
    routes.add_url_rule("/about.json", "about_json", lambda: _about(desk, True))


def _workers(desk: PageContext, as_json: bool) -> Response:
    return desk.answer(
        "workers.html",
        workers_document(desk) if as_json else {},
        as_json=as_json,
        live=True,
        fleet=_fleet(desk),
        freshness=[] if as_json else _freshness(desk),
        reconciled=desk.lately("metrics", desk.site.metric_counters.read).reconciled,
        repairs=[] if as_json else _repairs(desk),
        storages=desk.site.settings.storage if _is_operator() else (),
        pauses=[] if as_json else pause_views(desk),
        pause="" if as_json else pause_button(desk, ""),
        command="tea-runner worker --help",
    )


def _repairs(desk: PageContext) -> list[Repair]:
    """What the reconciler repaired; of all repositories, so for operators only."""
    return desk.lately("repairs", desk.site.repair_log.latest) if _is_operator() else []


def _is_operator() -> bool:
    return visitor().viewer.is_operator


def _fleet(desk: PageContext) -> Any:
    """Workers and queues, without the jobs that the viewer may not see."""
    fleet = desk.lately("fleet", desk.site.fleet)
    hidden = _hidden_jobs(desk, (worker.job for worker in fleet.workers if worker.job))
    workers = [
        replace(worker, job="", repository="", pipeline="", label="", datums=0)
        if worker.job in hidden
        else worker
        for worker in fleet.workers
    ]
    mine = visitor().readable([row.repository for row in fleet.repositories])
    waiting = tuple(row for row in fleet.repositories if row.repository in mine)
    return replace(fleet, workers=tuple(workers), repositories=waiting)


def workers_document(desk: PageContext) -> dict[str, Any]:
    """Workers and queues as JSON, for pages and API."""
    fleet = _fleet(desk)
    rows: list[dict[str, Any]] = []
    for worker in fleet.workers:
        row = asdict(worker)
        since, heard, begun = row.pop("since"), row.pop("heard"), row.pop("begun")
        times = {"since_at": since, "heard_at": heard, "begun_at": begun}
        rows.append({**row, **{name: instant(time) for name, time in times.items()}})
    return {
        "workers": rows,
        "queues": dict(fleet.queues),
        "oldest_waiting_since": instant(fleet.oldest),
        "reconciled_at": instant(desk.lately("metrics", desk.site.metric_counters.read).reconciled),
        "repairs": [{"at": instant(each.time), "text": each.text} for each in _repairs(desk)],
        "storages": [
            {"name": each.name, "type": each.type, "repositories": list(each.repositories)}
            for each in (desk.site.settings.storage if _is_operator() else ())
        ],
        "lacking": [asdict(lack) for lack in fleet.lacking],
        "repositories": [
            {
                "repository": row.repository,
                "jobs": row.jobs,
                "datums": row.datums,
                "oldest_waiting_since": instant(row.oldest),
            }
            for row in fleet.repositories
        ],
        "freshness": [
            {
                "repository": row.latest.run.repository,
                "branch": row.latest.run.branch,
                "run": row.latest.run.id,
                "state": row.latest.state,
                "behind_since": instant(row.behind_since),
            }
            for row in _freshness(desk)
        ],
    }


def _freshness(desk: PageContext) -> list[BranchFreshness]:
    """The branches with runs that the viewer may see."""

    def ask() -> list[RunStatus]:
        heads = (desk.site.runs.recent(_RUNS, name) for name in desk.repositories()[:_REPOSITORIES])
        return [run_status(head) for own in heads for head in own]

    runs = desk.lately("freshness", ask)
    mine = visitor().readable({status.run.repository for status in runs})
    return branch_freshness(each for each in runs if each.run.repository in mine)[:_ROWS]


def _hidden_jobs(desk: PageContext, jobs: Iterable[str]) -> set[str]:
    """Those of these jobs that are of repositories that the viewer may not read."""
    who = visitor()
    if who.viewer.is_operator:
        return set()
    of_job = {job: desk.site.runs.repository_of_job(job) for job in jobs}
    mine = who.readable(name for name in of_job.values() if name)
    return {job for job, name in of_job.items() if name not in mine}


def _about(desk: PageContext, as_json: bool) -> Response:
    is_operator = visitor().viewer.is_operator
    values = list(show_settings(desk.site.settings)) if is_operator else []
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
