"""The pages of repositories; registers the pages of runs, jobs and the service as well.

The server renders every page, and no page needs the script that keeps it up to date.  All text comes
from outside: the templates escape it, and invisible characters are shown as escapes.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request, url_for
from flask.blueprints import BlueprintSetupState
from markupsafe import Markup, escape

from tea_runner.core.datums.datum import shown_label
from tea_runner.core.deliveries.registered_webhook import is_repository_name
from tea_runner.core.errors import NotFound, TeaError
from tea_runner.core.planning.run_status import RunStatus
from tea_runner.core.planning.states import STATES
from tea_runner.core.resource_demand import offered_words
from tea_runner.present import human_units, state_words
from tea_runner.present.json_documents import run_head
from tea_runner.present.visible_text import visible, visible_lines
from tea_runner.web import not_found_texts
from tea_runner.web.api_page import add_api_page
from tea_runner.web.approve_and_pause_pages import add_order_pages, pause_button, pause_views
from tea_runner.web.badge import add_badges
from tea_runner.web.cancel_and_retry_pages import add_action_pages
from tea_runner.web.datum_pages import add_datum_pages
from tea_runner.web.downstream_pages import add_downstream_pages
from tea_runner.web.event_pages import add_event_pages
from tea_runner.web.job_pages import add_job_pages
from tea_runner.web.live_update_routes import add_event_streams
from tea_runner.web.page_context import PageContext, page_of, split_json_suffix
from tea_runner.web.pull_request_pages import add_pull_request_pages
from tea_runner.web.run_pages import add_run_pages, run_picture
from tea_runner.web.service_pages import add_host_pages
from tea_runner.web.token_pages import add_token_pages
from tea_runner.web.trigger_by_hand_pages import add_trigger_pages
from tea_runner.web.visitor import visitor
from tea_runner.wiring import Site

_STRIP = 10
_MOST_REPOSITORIES = 500
_MOST_RUNS = 2000


def pages_blueprint(site: Site) -> Blueprint:
    """All pages."""
    routes = Blueprint("pages", __name__)
    desk = PageContext(site)
    routes.record_once(_prepare)
    routes.add_url_rule("/", "home", lambda: _home(desk, False))
    routes.add_url_rule("/index.json", "home_json", lambda: _home(desk, True))
    routes.add_url_rule(
        "/repos/<owner>/<name>",
        "repository",
        lambda owner, name: _repository(desk, owner, name),
    )
    add_run_pages(routes, desk)
    add_job_pages(routes, desk)
    add_host_pages(routes, desk)
    add_badges(routes, desk)
    add_event_streams(routes, desk)
    add_event_pages(routes, desk)
    add_action_pages(routes, desk)
    add_order_pages(routes, desk)
    add_trigger_pages(routes, desk)
    add_token_pages(routes, desk)
    add_api_page(routes, desk)
    add_pull_request_pages(routes, desk)
    add_datum_pages(routes, desk)
    add_downstream_pages(routes, desk)
    routes.register_error_handler(TeaError, lambda error: _sorry(desk, error))
    return routes


def _prepare(state: BlueprintSetupState) -> None:
    environment = state.app.jinja_env
    environment.finalize = _shown
    environment.trim_blocks = environment.lstrip_blocks = True
    environment.filters.update(
        ago=human_units.ago,
        duration=human_units.duration,
        moment=human_units.moment,
        instant=human_units.instant,
        size=human_units.size,
        offered=offered_words,
        numbers=state_words.counts_text,
        progress=state_words.progress,
        sentence=state_words.run_sentence,
        remark=state_words.pipeline_remark,
        ordered=state_words.ordered,
        names=shown_label,
        lines=lambda text: Markup(escape(visible_lines(text))),  # noqa: S704 - escaped just here
    )
    environment.globals.update(shapes=state_words.SHAPES, states=STATES)


def _shown(value: Any) -> Any:
    """What a template writes: nothing that cannot be seen, and nothing that cannot be sent."""
    if value is None:
        return ""
    if isinstance(value, str) and not isinstance(value, Markup):
        return visible(value)
    return value


def _home(desk: PageContext, as_json: bool) -> Response:
    def ask() -> list[tuple[str, list[RunStatus]]]:
        names = desk.repositories()[:_MOST_REPOSITORIES]
        return [(name, desk.listed(desk.site.runs.recent(_STRIP, name))) for name in names]

    rows = desk.lately("home", ask)
    mine = visitor().readable(name for name, _ in rows)
    rows = [row for row in rows if row[0] in mine]
    wanted = request.args.get("q", "")[:100]
    rows = [row for row in rows if wanted.casefold() in row[0].casefold()]
    document = {
        "repositories": [
            {"name": name, "runs": [run_head(standing) for standing in runs]} for name, runs in rows
        ]
    }
    return desk.answer(
        "home.html",
        document,
        as_json=as_json,
        live=any(not run.ended for _, runs in rows for run in runs),
        rows=rows,
        wanted=wanted,
        command="tea-runner runs",
        example=_example(desk),
    )


def _example(desk: PageContext) -> list[str]:
    """The three commands that connect the first repository."""
    remote = "http://FORGE/OWNER/REPO.git"
    said = desk.site.settings.forge
    if said.kind != "folder" and desk.site.settings.source("forge.url") != "default":
        remote = f"{said.url.rstrip('/')}/OWNER/REPO.git"
    elif said.kind == "folder":
        remote = f"{said.url}/OWNER/REPO.git"
    return [
        "tea-runner webhook add OWNER/REPO",
        f"git remote add origin {remote}",
        "git push origin HEAD git-annex",
    ]


def _repository(desk: PageContext, owner: str, name: str) -> Response:
    full = f"{owner}/{name}"
    known = desk.lately("repositories", desk.repositories)
    as_json = False
    if full not in known:
        full, as_json = split_json_suffix(full)
    if not is_repository_name(full) or full not in known or not visitor().reads(full):
        raise NotFound(not_found_texts.REPOSITORY)
    wanted = request.args.get("state", "")
    number = request.args.get("page", 1, type=int)
    # To filter by state, all runs are read; otherwise one page is enough.
    heads = desk.lately(("heads", full), lambda: desk.site.runs.recent(_MOST_RUNS, full))
    if wanted in STATES:
        rows = [row for row in desk.listed(heads) if row.state == wanted]
        shown, number, pages = page_of(rows, number)
    else:
        part, number, pages = page_of(heads, number)
        shown = desk.listed(part)
    document = {
        "repository": full,
        "page": number,
        "pages": pages,
        "runs": [run_head(standing) for standing in shown],
    }
    return desk.answer(
        "repository.html",
        document,
        as_json=as_json,
        live=True,
        events=url_for("pages.repository_events", owner=owner, name=name.removesuffix(".json")),
        repository=full,
        forge=desk.forge(full),
        latest=heads[0] if heads else None,
        picture=run_picture(desk.listed(heads[:1])[0]) if heads else "",
        rows=shown,
        wanted=wanted if wanted in STATES else "",
        page=number,
        pages=pages,
        pauses=pause_views(desk, full),
        pause=pause_button(desk, full),
        command=f"tea-runner runs {full}",
    )


def _sorry(desk: PageContext, error: TeaError) -> Response:
    response = desk.answer(
        "error.html",
        {"error": error.message},
        as_json=request.path.endswith(".json"),
        sentence_of_error=error.message,
        command="tea-runner check",
        title="Not found" if error.http_status == 404 else "Error",
    )
    response.status_code = error.http_status
    return response
