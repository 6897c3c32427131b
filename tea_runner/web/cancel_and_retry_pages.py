"""Buttons of runs and jobs: each asks once on a page of its own, and says who did it.

A planner carries them out, as the verbs of the terminal do (:mod:`tea_runner.flow.cancel_retry_recompute`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from flask import Blueprint, Response, redirect, request, url_for

from tea_runner.core.errors import NotFound
from tea_runner.core.planning.job_record import JobRecord
from tea_runner.core.planning.run_status import RunStatus
from tea_runner.flow import approve_pause_resume
from tea_runner.web import not_found_texts, query_planner
from tea_runner.web.page_context import PageContext
from tea_runner.web.visitor import visitor

_OPEN = ("waiting", "running")


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a confirmation says."""

    question: str
    consequence: str
    label: str


_QUESTIONS = {
    "approve": Question(
        question="Approve {what}?",
        consequence="All of its pipelines compute, however much that is. The next push asks again.",
        label="Approve",
    ),
    "cancel": Question(
        question="Cancel {what}?",
        consequence="What is done is kept. What waits does not begin, and what runs is stopped.",
        label="Cancel it",
    ),
    "retry": Question(
        question="Retry what failed of {what}?",
        consequence="Failed and cancelled datums run again. Good results are kept.",
        label="Retry",
    ),
    "recompute": Question(
        question="Recompute {what}?",
        consequence="Known results are computed again. Equal bytes change nothing; others replace the "
        "result, and the pipeline is reported as not reproducible.",
        label="Recompute",
    ),
}


def add_action_pages(routes: Blueprint, desk: PageContext) -> None:
    """Add the confirmations, and what they send."""
    for kind, words, show, act in (
        ("run", "approve, cancel, retry, recompute", _ask_run, _do_run),
        ("job", "cancel, retry, recompute", _ask_job, _do_job),
    ):
        path = f"/{kind}s/<{kind}>/<any({words}):action>"
        routes.add_url_rule(path, f"ask_{kind}", partial(show, desk), methods=["GET"])
        routes.add_url_rule(path, f"do_{kind}", partial(act, desk), methods=["POST"])


def run_actions_for(status: RunStatus) -> list[tuple[str, str]]:
    """Actions of a run, with the words on their buttons, for who may write to its repository."""
    if not visitor().writes(status.run.repository):
        return []
    found = []
    if approve_pause_resume.needs_approval(status):
        found.append(("approve", "Approve"))
    if not status.ended:
        found.append(("cancel", "Cancel"))
    if any(status.numbers.get(state) for state in ("failed", "cancelled")) or status.retries:
        found.append(("retry", "Retry failed"))
    if status.ended and status.pipelines:
        found.append(("recompute", "Recompute"))
    return found


def job_actions_for(record: JobRecord) -> list[tuple[str, str]]:
    """Actions of a job."""
    if record.job is None or not visitor().writes(record.job.repository):
        return []
    if record.state in _OPEN:
        return [("cancel", "Cancel")]
    if record.state == "done":
        return [("recompute", "Recompute")]
    return [("retry", "Retry")]


def acting_person() -> str:
    """Who is noted as having done something."""
    viewer = visitor().viewer
    return viewer.name or "the operator"


def _ask_run(desk: PageContext, run: str, action: str) -> Response:
    status = desk.run_view(run).status
    number = request.args.get("pipeline", 0, type=int)
    key = request.args.get("key", "")[:64]
    what = f"run {run} of {status.run.repository}"
    fields: dict[str, str] = {}
    if action == "recompute" and 0 < number <= len(status.pipelines):
        what = f"pipeline {status.pipelines[number - 1].name} of {what}"
        fields["pipeline"] = str(number)
    elif action == "recompute" and len(key) == 64:
        what = f"datum {key[:16]} of {what}"
        fields["key"] = key
    back = url_for("pages.run", run=run)
    return _ask(desk, action, what, back, url_for("pages.do_run", run=run, action=action), fields)


def _ask_job(desk: PageContext, job: str, action: str) -> Response:
    record = desk.job(job)
    if record.job is None:
        raise NotFound(not_found_texts.JOB)
    what = f"job {job[:10]} of {record.job.repository}"
    back = url_for("pages.job", job=job)
    return _ask(desk, action, what, back, url_for("pages.do_job", job=job, action=action), {})


def _ask(
    desk: PageContext, action: str, what: str, back: str, target: str, fields: dict[str, str]
) -> Response:
    words = _QUESTIONS[action]
    return desk.answer(
        "confirm.html",
        {},
        as_json=False,
        question=words.question.format(what=what),
        consequence=words.consequence,
        label=words.label,
        by=acting_person(),
        back=back,
        target=target,
        fields=fields,
        command=f"tea-runner {action} --help",
    )


def _do_run(desk: PageContext, run: str, action: str) -> Response:
    whole, _ = desk.run(run)
    if action == "approve":
        approve_pause_resume.approve(desk.site, whole, acting_person())
        return _to(run)
    return _to(str(act_on_run(desk, whole, action, _chosen(whole)).get("run") or run))


def act_on_run(
    desk: PageContext, whole: RunStatus, action: str, names: Sequence[str] = ()
) -> Mapping[str, Any]:
    """Have a planner do something with a run; what came of it.

    :param names: pipelines and datums to recompute; all when empty.
    :raises TeaError: what the planner says, or that none answers.
    """
    head = whole.run
    return query_planner.act(
        desk.site,
        action,  # type: ignore[arg-type]
        head.repository,
        acting_person(),
        run=head.id,
        names=tuple(names) if action == "recompute" else (),
    )


def act_on_job(desk: PageContext, job: str, action: str) -> Mapping[str, Any]:
    """As :func:`act_on_run`, with a job.

    :raises NotFound: when its datums have expired.
    """
    record = desk.job(job)
    if record.job is None:
        raise NotFound(not_found_texts.JOB)
    return query_planner.act(
        desk.site,
        action,  # type: ignore[arg-type]
        record.job.repository,
        acting_person(),
        job=job,
    )


def _chosen(status: RunStatus) -> list[str]:
    """What the form names: a pipeline by its number, or a datum by its key; nothing for the run."""
    number = request.form.get("pipeline", 0, type=int)
    if number:
        if not 0 < number <= len(status.pipelines):
            raise NotFound(not_found_texts.PAGE)
        return [status.pipelines[number - 1].name]
    key = request.form.get("key", "")
    return [key] if key else []


def _do_job(desk: PageContext, job: str, action: str) -> Response:
    run = act_on_job(desk, job, action).get("run")
    return _to(str(run)) if run else redirect(url_for("pages.job", job=job), 303)  # type: ignore[return-value]


def _to(run: str) -> Response:
    return redirect(url_for("pages.run", run=run), 303)  # type: ignore[return-value]
