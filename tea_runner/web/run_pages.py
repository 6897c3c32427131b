"""Page, JSON and graph of a run: what runs, why, what failed, and what is left to do."""

from __future__ import annotations

import time
from collections.abc import Mapping

from flask import Blueprint, Response, request, url_for
from markupsafe import Markup

from tea_runner.core.planning.job_record import JobRecord
from tea_runner.core.planning.run_status import RunStatus
from tea_runner.core.planning.states import STATES
from tea_runner.present import state_words
from tea_runner.present.failure_groups import FailureGroup, failure_groups
from tea_runner.present.job_timeline import job_timeline
from tea_runner.present.json_documents import run_document
from tea_runner.present.pipeline_graph import Box, dag_svg
from tea_runner.present.time_left import time_left
from tea_runner.web.cancel_and_retry_pages import run_actions_for
from tea_runner.web.datum_table import DatumTable, read_choice
from tea_runner.web.page_context import PageContext, split_json_suffix
from tea_runner.web.run_page_cache import RunView
from tea_runner.web.svg_response import svg_response
from tea_runner.web.visitor import visitor

#: Largest number of pipelines in the graph.
_DRAWN = 60
#: Largest number of jobs that the page lists; failed ones first.
_JOBS = 20
#: Failures that are looked at to group them.
_FAILURES = 5000


def add_run_pages(routes: Blueprint, desk: PageContext) -> None:
    """Add ``/runs/<id>``, its JSON and its graph."""
    routes.add_url_rule("/runs/<run>", "run", lambda run: _run(desk, run))
    routes.add_url_rule("/runs/<run>/graph.svg", "graph", lambda run: _graph(desk, run))


def _run(desk: PageContext, name: str) -> Response:
    name, as_json = split_json_suffix(name)
    if as_json:
        whole = desk.run(name)[0]
        return desk.answer("run.html", run_document(whole), as_json=True)
    view = desk.run_view(name)
    status = view.status
    failures = desk.lately(("failures", name), lambda: _failures(view))
    return desk.answer(
        "run.html",
        {},
        as_json=False,
        live=not status.ended,
        events="" if status.ended else url_for("pages.run_events", run=name),
        standing=status,
        run=view.run,
        lacking=state_words.lack_sentences(status),
        retries=state_words.retry_sentences(status, time.time()),
        next_run=desk.lately(("next", name), lambda: desk.site.runs.next(name)),
        unlisted=sum(row.unlisted for row in status.pipelines),
        picture=run_picture(status),
        timeline=Markup(job_timeline(view.facts.values(), time.time())),  # noqa: S704 - escapes
        left=desk.lately(("left", name), lambda: _time_left(desk, view)),
        kept=state_words.kept_sentence(status),
        holds=state_words.hold_sentences(status),
        jobs=_jobs(view.facts),
        jobs_in_all=sum(len(row.jobs) for row in status.pipelines),
        failures=failures,
        actions=run_actions_for(status),
        writes=visitor().writes(view.run.repository),
        datums=desk.lately(
            ("datums", name, request.full_path),
            lambda: DatumTable(desk, view, read_choice(request.args)),
        ),
        results_page=desk.forge_branch(view.run.repository, view.run.results_branch),
        forge=lambda commit: desk.forge(view.run.repository, commit),
        command=f"tea-runner show {name}",
    )


def _jobs(facts: Mapping[str, JobRecord]) -> list[JobRecord]:
    order = sorted(
        facts.values(),
        key=lambda each: (STATES.index(each.state), -each.started, each.id),
    )
    return order[:_JOBS]


def _failures(view: RunView) -> list[FailureGroup]:
    """Failures of datums, grouped by what their commands printed last."""
    indexes = [
        index for index, state in enumerate(view.states) if state in ("failed", "cancelled")
    ][:_FAILURES]
    return failure_groups((row.label, row.error) for row in map(view.datum, indexes))


def _time_left(desk: PageContext, view: RunView) -> float | None:
    if view.status.ended:
        return None
    repository = view.run.repository
    former = {}
    for row in view.status.pipelines:
        known = desk.site.throughputs.get(repository, row.name)
        if known is not None:
            former[row.name] = known
    busy = len({each.worker for each in view.facts.values() if each.state == "running"})
    workers = max([busy, *(each.workers for each in former.values())], default=1)
    return time_left(view.status, view.facts, former, workers)


def run_boxes(status: RunStatus) -> tuple[list[Box], Mapping[str, tuple[str, ...]]]:
    """The pipelines of a run as boxes, and what each reads."""
    rows = status.pipelines[:_DRAWN]
    address = url_for("pages.run", run=status.run.id)
    boxes = [
        Box(
            name=row.name,
            state=row.state,
            note=state_words.progress(row),
            link=f"{address}#pipeline-{number}",
        )
        for number, row in enumerate(rows, 1)
    ]
    return boxes, {row.name: row.upstream for row in rows}


def run_picture(status: RunStatus) -> Markup:
    """The graph of a run's pipelines; empty without any."""
    if not status.pipelines:
        return Markup()
    return Markup(dag_svg(*run_boxes(status)))  # noqa: S704 - dag_svg escapes all names


def _graph(desk: PageContext, name: str) -> Response:
    """The graph as a file."""
    view = desk.run_view(name)
    boxes, upstream = run_boxes(view.status)
    plain = [Box(name=box.name, state=box.state, note=box.note) for box in boxes]
    return svg_response(dag_svg(plain, upstream, styled=True), f"pipelines-{name}.svg")
