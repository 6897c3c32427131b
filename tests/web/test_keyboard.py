"""Pages with the keyboard alone: all that can be pressed is reached, is seen, and works."""

from __future__ import annotations

from typing import Any

import pytest

from tea_runner.wiring import Site
from tests.looking import REPOSITORY
from tests.planner_at_work import planner_at_work
from tests.web.screens import fill, operator, served

pytestmark = [
    pytest.mark.browser,
    # The browser's driver leaves sockets to the collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
#: Marks all that a mouse could press, as far as it is shown; a log's lines are reached as one region.
_MARK = """() => {
  const all = document.querySelectorAll("a[href], button, input, select, summary, [tabindex='0']");
  const shown = [...all].filter(each => each.checkVisibility() && each.type !== "hidden"
    && each.tabIndex >= 0);
  shown.forEach((each, number) => { each.dataset.number = number; });
  return shown.length;
}"""
#: What has the focus: its mark, whether one sees that, and its beginning.
_FOCUSED = """() => {
  const at = document.activeElement, style = getComputedStyle(at);
  const seen = style.outlineStyle !== "none" || at.classList.contains("skip");
  return [at.dataset.number ?? "", seen, at.outerHTML.slice(0, 120)];
}"""


@pytest.mark.parametrize("kind", ["run", "job", "repository", "workers", "confirm"])
def test_all_is_reached_and_seen(site: Site, chromium: Any, kind: str) -> None:
    """With the Tab key, without a trap, and the focus has an outline everywhere."""
    run = fill(site, 7, "failed")
    path = {
        "run": f"/runs/{run.id}",
        "job": f"/jobs/{run.pipelines[0].jobs[1]}",
        "repository": f"/repos/{REPOSITORY}",
        "workers": "/workers",
        "confirm": f"/runs/{run.id}/retry",
    }[kind]
    with served(site) as url:
        page = chromium.new_page(extra_http_headers=operator(site), bypass_csp=True)
        page.goto(url + path)
        number = page.evaluate(_MARK)
        reached, unseen = set(), set()
        for _ in range(number + 5):
            page.keyboard.press("Tab")
            mark, seen, html = page.evaluate(_FOCUSED)
            reached.add(mark)
            if mark and not seen:
                unseen.add(html)
        missed = set(map(str, range(number))) - reached
        texts = [
            page.evaluate("n => document.querySelector(`[data-number='${n}']`).outerHTML", each)
            for each in sorted(missed, key=int)
        ]
        page.close()
    assert ([], set()) == (texts, unseen)


def test_a_button_is_pressed_with_keys(site: Site, chromium: Any) -> None:
    """From the page of the run to the question, and from there to the new run."""
    vars(site)["trusted_branches"] = lambda *_: ("*",)
    run = fill(site, 7, "failed")
    with served(site) as url, planner_at_work(site):
        page = chromium.new_page(extra_http_headers=operator(site))
        page.goto(f"{url}/runs/{run.id}")
        page.locator("a", has_text="Retry failed").focus()
        page.keyboard.press("Enter")
        page.wait_for_url("**/retry")
        page.locator("main button").focus()
        page.keyboard.press("Enter")
        page.wait_for_url(lambda address: run.id not in address)
        assert "the operator" in page.inner_text("main")
        page.close()
