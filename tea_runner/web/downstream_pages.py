"""The runs of other repositories that a push led to, as a picture, a table and JSON."""

from __future__ import annotations

from flask import Blueprint, Response, url_for
from markupsafe import Markup

from tea_runner.core.planning.downstream_run_graph import Cascade, cascade
from tea_runner.core.planning.run_status import RunStatus
from tea_runner.present.json_documents import run_head
from tea_runner.present.pipeline_graph import Box, dag_svg
from tea_runner.present.state_words import counts_text
from tea_runner.web.page_context import PageContext
from tea_runner.web.visitor import visitor

#: Runs that are looked through, and that are drawn.
_MOST, _DRAWN = 2000, 60


def add_downstream_pages(routes: Blueprint, desk: PageContext) -> None:
    """Add ``/runs/<id>/downstream`` and its JSON."""
    routes.add_url_rule(
        "/runs/<run>/downstream", "downstream", lambda run: _downstream(desk, run, False)
    )
    routes.add_url_rule(
        "/runs/<run>/downstream.json", "downstream_json", lambda run: _downstream(desk, run, True)
    )


def _downstream(desk: PageContext, name: str, as_json: bool) -> Response:
    first = desk.run(name)[0]
    known = desk.lately("all runs", lambda: desk.site.runs.recent(_MOST))
    # What only a hidden run leads to is hidden as well.
    mine = visitor().readable({run.repository for run in known})
    found = cascade(first.run, [run for run in known if run.repository in mine])
    rows = [first, *desk.listed([run for run in found.runs if run.id != first.run.id])]
    document = {
        "runs": [{**run_head(row), "upstream": list(found.upstream[row.run.id])} for row in rows]
    }
    return desk.answer(
        "downstream.html",
        document,
        as_json=as_json,
        live=any(not row.ended for row in rows),
        first=first,
        rows=rows,
        picture=_picture(rows[:_DRAWN], found),
        command=f"tea-runner show {first.run.id} --downstream",
    )


def _picture(rows: list[RunStatus], found: Cascade) -> Markup:
    # Two runs of one branch have the same words: the id tells them apart.
    names = {row.run.id: f"{row.run.repository} {row.run.id}" for row in rows}
    boxes = [
        Box(
            name=names[row.run.id],
            shown=row.run.repository,
            state=row.state,
            note=f"{row.run.branch} {counts_text(row.numbers)}",
            link=url_for("pages.run", run=row.run.id),
        )
        for row in rows
    ]
    upstream = {
        names[row.run.id]: [names[each] for each in found.upstream[row.run.id] if each in names]
        for row in rows
    }
    label = "Graph of runs"
    return Markup(dag_svg(boxes, upstream, label=label))  # noqa: S704 - dag_svg escapes all names
