"""Every page in a real browser, wide and narrow, light and dark: axe finds nothing, nothing is cut off.

``TEA_TEST_SCREENS`` names a folder for the pictures.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tea_runner.broker.redis_server import RedisServer
from tea_runner.flow import approve_pause_resume
from tea_runner.wiring import Site
from tests.looking import EVENT, REPOSITORY, make_site
from tests.web.screens import ask_to_merge, fill, operator, served, waiting_run

pytestmark = [
    pytest.mark.browser,
    # The browser's driver leaves sockets to the collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
WIDTHS = (390, 1280)
#: Of a page, before the log.
MOST_BYTES = 60_000
#: Pages that say that there is nothing.
_ABSENT = ("missing", "no-page")


def axe() -> str:
    """Its program."""
    import axe_playwright_python

    return (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text("utf-8")


def look(
    browser: Any,
    url: str,
    name: str,
    headers: dict[str, str],
    then: Callable[[Any], object] = lambda _: None,
) -> list[str]:
    """What is wrong with a page, at both widths, light and dark; pictures on request.

    :param then: what a person does on the page first.
    """
    return [
        each
        for width in WIDTHS
        for scheme in ("light", "dark")
        for each in look_once(browser, url, name, width, scheme, headers, then)
    ]


def _weight(answer: Any) -> int:
    """Bytes of a page without the lines of a log; browsers keep style and script."""
    kind = answer.headers.get("content-type", "")
    if not kind.startswith("text/html"):
        return 0
    text = answer.text()
    before, log, after = text.partition('<pre class="log"')
    return len((before + after.partition("</pre>")[2] if log else text).encode())


def look_once(
    browser: Any,
    url: str,
    name: str,
    width: int,
    scheme: str,
    headers: dict[str, str],
    then: Callable[[Any], object],
) -> list[str]:
    """The same at one width."""
    found: list[str] = []
    with ExitStack() as stack:
        # axe is not of the page's origin, which its policy refuses.
        context = browser.new_context(
            viewport={"width": width, "height": 800},
            color_scheme=scheme,
            bypass_csp=True,
            extra_http_headers=headers,
        )
        stack.callback(context.close)
        page = context.new_page()
        page.on("pageerror", lambda error: found.append(f"{name}: {error}"))
        sizes: dict[str, int] = {}
        page.on("response", lambda answer: sizes.update({answer.url: _weight(answer)}))
        answer = page.goto(url, wait_until="load")
        if answer.status >= 400 and name not in _ABSENT:
            found.append(f"{name}: {answer.status}")
        if sum(sizes.values()) > MOST_BYTES:
            found.append(f"{name}: {sum(sizes.values())} bytes: {sizes}")
        then(page)
        page.evaluate(axe())
        for each in page.evaluate("axe.run()")["violations"]:
            node = each["nodes"][0]
            found.append(
                f"{name} {width} {scheme}: {each['id']} {len(each['nodes'])} times: "
                f"{node['html'][:160]} {node['failureSummary'][:300]}"
            )
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > width:
            found.append(f"{name} {width}: {wide} px wide")
        folder = os.environ.get("TEA_TEST_SCREENS")
        if folder:
            page.screenshot(path=f"{folder}/{name}-{width}-{scheme}.png", full_page=True)
    return found


@pytest.mark.parametrize("number", [0, 7, 3000, 100_000])
@pytest.mark.parametrize("state", ["running", "failed"])
def test_runs_are_accessible(site: Site, chromium: Any, number: int, state: str) -> None:
    """With no datum, with some, and with very many."""
    run = fill(site, number, state)
    with served(site) as url:
        assert [] == look(chromium, f"{url}/runs/{run.id}", f"run-{number}-{state}", operator(site))


def test_the_other_pages_are_accessible(site: Site, chromium: Any) -> None:
    """Home, repository, workers, settings, jobs that run and failed, and what is not there."""
    running, failed = fill(site, 7), fill(site, 7, "failed")
    jobs = {"job-running": running.pipelines[0].jobs[3], "job-failed": failed.pipelines[0].jobs[1]}
    key = failed.pipelines[0].datums[1].key
    paths = {
        "home": "/",
        "repository": f"/repos/{REPOSITORY}",
        "workers": "/workers",
        "about": "/about",
        "sign-in": "/sign-in",
        "datum": f"/jobs/{jobs['job-failed']}/datums/{key[:16]}",
        "downstream": f"/runs/{failed.id}/downstream",
        "confirm": f"/runs/{failed.id}/retry",
        "missing": "/runs/000000000000",
        "no-page": "/nothing",
        **{name: f"/jobs/{job}" for name, job in jobs.items()},
    }
    headers = operator(site)
    with served(site) as url:
        found = [
            each
            for name, path in paths.items()
            for each in look(chromium, url + path, name, headers)
        ]
    assert not found, "\n".join(found)


def test_pages_of_orders_are_accessible(broker: RedisServer, chromium: Any, tmp_path: Path) -> None:
    """Pull requests that wait, what is paused, events, and each question before somebody decides."""
    site = make_site(broker, tmp_path, pull_requests="true")
    site.redis.flushall()
    run = waiting_run(site)
    pull = ask_to_merge(site)
    approve_pause_resume.pause(site, REPOSITORY, "fit", "ada")
    approve_pause_resume.pause(site, "", "", "ada")
    site.events.add([EVENT, replace(EVENT, outcome="refused", why="no", commit="")])
    place = f"/repos/{REPOSITORY}"
    paths = {
        "run-waits": f"/runs/{run.id}",
        "approve-run": f"/runs/{run.id}/approve",
        "cancel-run": f"/runs/{run.id}/cancel",
        "recompute-pipeline": f"/runs/{run.id}/recompute?pipeline=1",
        "pulls": f"{place}/pulls",
        "approve-pull-request": f"{place}/pulls/{pull}/approve",
        "repository-paused": place,
        "pause-repository": f"{place}/pause",
        "resume-pipeline": f"{place}/resume?pipeline=fit",
        "workers-paused": "/workers",
        "resume-server": "/workers/resume",
        "events": "/events",
        "api": "/api",
    }
    with served(site) as url:
        found = [
            each
            for name, path in paths.items()
            for each in look(chromium, url + path, name, operator(site))
        ]
    assert not found, "\n".join(found)


def test_tokens_are_accessible(site: Site, chromium: Any) -> None:
    """The list of one's own, and the page that shows a new one once."""
    for name in ("ci", "a laptop with a rather long name that somebody wrote"):
        site.tokens.make("", {"operator": True}, name=name, scope="read", days=7)
    with served(site) as url:
        path = f"{url}/tokens?token={site.pages_token}"
        assert [] == look(chromium, path, "tokens", {})
        assert [] == look(chromium, path, "token-made", {}, _make_token)


def _make_token(page: Any) -> None:
    page.fill("input[name=name]", "ci")
    page.click("main form[action$='/tokens'] button")
    page.wait_for_selector("pre code")


def test_an_empty_server_is_accessible(site: Site, chromium: Any) -> None:
    """Its first page."""
    with served(site) as url:
        assert [] == look(chromium, f"{url}/", "home-empty", operator(site))


def test_the_form_of_variables_is_accessible(site: Site, chromium: Any) -> None:
    """A field of each type, with a label and what it means."""
    run = fill(site, 7)
    row: dict[str, Any] = {"options": [], "description": "What is extracted, in a long sentence."}
    variables = [
        {**row, "name": "year", "type": "integer", "default": "2026", "value": "2025"},
        {**row, "name": "threshold", "type": "number", "default": "0.5", "value": "0.5"},
        {**row, "name": "full", "type": "boolean", "default": "true", "value": "false"},
        {
            **row,
            "name": "a_rather_long_name_of_a_variable_that_somebody_chose",
            "type": "choice",
            "options": ["fast", "good"],
            "default": "fast",
            "value": "good",
        },
        {**row, "name": "url", "type": "string", "default": "", "value": "https://example.org/x"},
    ]
    fit = replace(run.pipelines[0], variables=variables, schedules=["tick"])
    run = site.runs.save(replace(run, pipelines=[fit, *run.pipelines[1:]]))[0]
    path = f"/runs/{run.id}/trigger?pipeline=1"
    with served(site) as url:
        assert [] == look(chromium, url + path, "trigger", operator(site))
