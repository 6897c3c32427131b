"""The button that starts a pipeline by hand: a form of its variables, which says who did it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial

from flask import Blueprint, Response, redirect, request, url_for

from tea_runner.core.errors import NotFound
from tea_runner.core.planning.run import PipelineRun, Run
from tea_runner.core.planning.tick_names import tick_name
from tea_runner.flow import trigger_by_hand
from tea_runner.web import not_found_texts, query_planner
from tea_runner.web.cancel_and_retry_pages import acting_person
from tea_runner.web.page_context import PageContext

#: Before the names of variables in the form.
_FIELD = "var-"


def add_trigger_pages(routes: Blueprint, desk: PageContext) -> None:
    """Add the form, and what it sends."""
    path = "/runs/<run>/trigger"
    routes.add_url_rule(path, "ask_trigger", partial(_ask, desk), methods=["GET"])
    routes.add_url_rule(path, "do_trigger", partial(_do, desk), methods=["POST"])


def _ask(desk: PageContext, run: str) -> Response:
    whole, row, number = _chosen(desk, run, request.args)
    trigger_by_hand.require_start(row)
    ticks = f"Its schedules tick now: {', '.join(row.schedules)}. " if row.schedules else ""
    taken = f"What came to {', '.join(row.triggers)} is taken now. " if row.triggers else ""
    values = (
        "What its variables are set to counts until it is started by hand again."
        if row.variables
        else ""
    )
    return desk.answer(
        "confirm.html",
        {},
        as_json=False,
        question=f"Start pipeline {row.name} of {whole.repository} on {whole.branch}?",
        consequence=ticks + taken + values,
        label="Start",
        by=acting_person(),
        back=url_for("pages.run", run=run),
        target=url_for("pages.do_trigger", run=run),
        fields={"pipeline": str(number)},
        variables=[{**each, "field": _FIELD + each["name"]} for each in row.variables],
        command=f"tea-runner trigger {whole.repository} {row.name} --branch {whole.branch}",
    )


def _do(desk: PageContext, run: str) -> Response:
    whole, row, _ = _chosen(desk, run, request.form)
    given = {
        each["name"]: request.form[_FIELD + each["name"]]
        for each in row.variables
        if request.form.get(_FIELD + each["name"], each["default"]) != each["default"]
    }
    done = query_planner.act(
        desk.site,
        "trigger",
        whole.repository,
        acting_person(),
        branch=whole.branch,
        tick=tick_name(datetime.now(UTC)),
        names=(row.name,),
        values=tuple(given.items()),
    )
    return redirect(url_for("pages.run", run=done["run"] or run), 303)  # type: ignore[return-value]


def _chosen(desk: PageContext, run: str, said: Mapping[str, str]) -> tuple[Run, PipelineRun, int]:
    """The run, and the pipeline that the form names by its number.

    :raises NotFound: when the run has no such pipeline.
    """
    whole = desk.run_view(run).run
    text = said.get("pipeline", "")
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0
    if not 0 < number <= len(whole.pipelines):
        raise NotFound(not_found_texts.PAGE)
    return whole, whole.pipelines[number - 1], number
