"""Page and JSON of a run: graph, pipelines, datums with reasons, jobs."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping

from flask import Blueprint, Response, request, url_for
from markupsafe import Markup

from tea_runner.core.planning.job_record import JobRecord
from tea_runner.core.planning.run_status import DatumStatus, RunStatus
from tea_runner.core.planning.states import STATES
from tea_runner.present import state_words
from tea_runner.present.json_documents import run_document
from tea_runner.present.pipeline_graph import Box, dag_svg
from tea_runner.web.page_context import PageContext, page_of, split_json_suffix

#: Largest number of pipelines in the graph.
_DRAWN = 60
#: Largest number of jobs that the page lists; failed ones first.
_JOBS = 50


def add_run_pages(routes: Blueprint, desk: PageContext) -> None:
    """Add ``/runs/<id>`` and its JSON."""
    routes.add_url_rule("/runs/<run>", "run", lambda run: _run(desk, run))


def _run(desk: PageContext, name: str) -> Response:
    name, as_json = split_json_suffix(name)
    standing, facts = desk.run(name)
    # By number: a pipeline's name may hold bytes that a URL cannot.
    pipeline, state = request.args.get("pipeline", 0, type=int), request.args.get("state", "")
    rows = _datums(standing, pipeline, state)
    shown, number, pages = page_of(rows, request.args.get("page", 1, type=int))
    return desk.answer(
        "run.html",
        run_document(standing) if as_json else {},
        as_json=as_json,
        live=not standing.ended,
        standing=standing,
        run=standing.run,
        lacking=state_words.lack_sentences(standing),
        retries=state_words.retry_sentences(standing, time.time()),
        next_run=desk.lately(("next", name), lambda: desk.site.runs.next(name)),
        unlisted=sum(row.unlisted for row in standing.pipelines),
        picture=_picture(standing),
        jobs=_jobs(facts),
        jobs_in_all=sum(len(row.jobs) for row in standing.pipelines),
        datums=shown,
        datums_in_all=len(rows),
        causes=_causes(standing),
        pipeline=pipeline,
        chosen=next(
            (row.name for row in standing.pipelines[pipeline - 1 :][:1] if pipeline > 0), ""
        ),
        state=state,
        page=number,
        pages=pages,
        results_page=desk.forge_branch(standing.run.repository, standing.run.results_branch),
        forge=lambda commit: desk.forge(standing.run.repository, commit),
        command=f"tea-runner show {name}",
    )


def _datums(standing: RunStatus, pipeline: int, state: str) -> list[tuple[str, DatumStatus]]:
    """(pipeline, datum) of the selected ones, failed ones first."""
    rows = [
        (row.name, datum)
        for number, row in enumerate(standing.pipelines, 1)
        if pipeline in (0, number)
        for datum in row.datums
        if state in ("", datum.state)
    ]
    return sorted(rows, key=lambda row: STATES.index(row[1].state))


def _jobs(facts: Mapping[str, JobRecord]) -> list[JobRecord]:
    order = sorted(
        facts.values(),
        key=lambda each: (STATES.index(each.state), -each.started, each.id),
    )
    return order[:_JOBS]


def _causes(standing: RunStatus) -> list[tuple[str, int]]:
    """Errors of datums with their counts, the most frequent first."""
    counted = Counter(
        datum.error or "unknown error"
        for row in standing.pipelines
        for datum in row.datums
        if datum.state in ("failed", "cancelled")
    )
    return counted.most_common(10)


def _picture(standing: RunStatus) -> Markup:
    rows = standing.pipelines[:_DRAWN]
    upstream = {row.name: row.upstream for row in rows}
    if len(rows) < 2 or not any(upstream.values()):
        return Markup()
    address = url_for("pages.run", run=standing.run.id)
    boxes = [
        Box(
            name=row.name,
            state=row.state,
            note=state_words.progress(row),
            link=f"{address}#pipeline-{number}",
        )
        for number, row in enumerate(rows, 1)
    ]
    return Markup(dag_svg(boxes, upstream))  # noqa: S704 - dag_svg escapes all names
