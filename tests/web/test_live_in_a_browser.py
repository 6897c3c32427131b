"""The script of the pages in a real browser: what changes, and what stays where the reader left it."""

from __future__ import annotations

from typing import Any

import pytest

from tea_runner.broker import redis_keys
from tea_runner.broker.job_logs import JobLog
from tea_runner.wiring import Site
from tests.looking import RUN, begin, make_job, save
from tests.web.screens import operator, served

AT_END = """(() => {
  const log = document.querySelector("pre.log");
  return log.scrollHeight - log.scrollTop - log.clientHeight < 40;
})()"""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def page(site: Site, chromium: Any) -> Any:
    """A page of 1,000 by 800 px, whose errors are kept."""
    context = chromium.new_context(
        viewport={"width": 1000, "height": 800},
        timezone_id="Asia/Tokyo",
        extra_http_headers=operator(site),
    )
    made = context.new_page()
    made.errors = []
    made.on("pageerror", lambda error: made.errors.append(str(error)))
    made.on("console", lambda line: made.errors.append(line.text) if line.type == "error" else None)
    yield made
    errors = made.errors
    context.close()
    # Streams end with the test's server.
    assert [] == [each for each in errors if "net::ERR_CONNECTION" not in each]


def until(page: Any, condition: str) -> None:
    """Wait until something holds; the page's policy forbids the driver's own way."""
    for _ in range(100):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(100)
    pytest.fail(f"it never held: {condition}")


def test_a_run_changes_while_somebody_types(site: Site, page: Any) -> None:
    """The state becomes another one without reload; what is typed and the scroll position stay."""
    job = make_job(1)
    claim = begin(site, job)
    save(site, [job])
    with served(site) as url:
        page.goto(f"{url}/runs/{RUN}")
        page.evaluate("window.mine = 1")
        page.fill("input[name=q]", "half a wo")
        assert "1 running" in page.inner_text("#standing")
        site.jobs.finish(claim, "done")
        until(page, "document.querySelector('#standing').innerText.includes('1 done')")
        assert ("half a wo", 1) == (page.input_value("input[name=q]"), page.evaluate("window.mine"))
        save(site, [job], state="settled")
        until(page, "document.title.startsWith('done')")


def test_a_page_is_right_in_the_end_though_the_server_failed_once(site: Site, page: Any) -> None:
    """No event follows the last one, so the page itself asks again."""
    job = make_job(1)
    claim = begin(site, job)
    save(site, [job])
    with served(site) as url:
        page.goto(f"{url}/runs/{RUN}")
        page.route(f"**/runs/{RUN}", lambda route: route.fulfill(status=503, body=""))
        site.jobs.finish(claim, "done")
        save(site, [job], state="settled")
        page.wait_for_timeout(2500)
        page.unroute(f"**/runs/{RUN}")
        until(page, "document.title.startsWith('done')")
        page.errors = [each for each in page.errors if "503" not in each]


def test_a_log_is_followed_until_one_reads_back(site: Site, page: Any) -> None:
    """Then it keeps its place, a button leads to the end again, and lines can be found."""
    job = make_job(1)
    claim = begin(site, job, b"".join(b"line %d\n" % n for n in range(1, 201)))
    log = JobLog(site.redis, job.id, 1 << 20)
    save(site, [job])
    with served(site) as url:
        page.goto(f"{url}/jobs/{job.id}")
        assert page.evaluate(AT_END)
        log.write(
            b"".join(b"more %d\n" % n for n in range(1, 101)) + b"\x1b[31m<b>red</b>\x1b[0m\n"
        )
        page.wait_for_selector("#L301")
        assert page.evaluate(AT_END)
        assert ("<b>red</b>", 0) == (page.inner_text("#L301 .tf1"), page.locator("pre b").count())
        page.evaluate("document.querySelector('pre.log').scrollTop = 100")
        page.wait_for_selector("#log-end:visible")
        log.write(b"later\n" * 50)
        page.wait_for_selector("#L351", state="attached")
        assert 100 == page.evaluate("document.querySelector('pre.log').scrollTop")
        page.click("#log-end")
        assert page.evaluate(AT_END)
        page.fill("#log-find", "MORE 10")
        assert "2 lines" == page.inner_text("#log-found")
        page.press("#log-find", "Enter")
        assert "1 of 2 lines" == page.inner_text("#log-found")
        site.jobs.finish(claim, "done")
        until(page, "document.querySelector('#standing').innerText.includes('done')")


def test_a_log_fills_the_screen(site: Site, page: Any) -> None:
    """With its tools; the same button and Escape lead back."""
    job = make_job(1)
    begin(site, job, b"one\n")
    with served(site) as url:
        page.goto(f"{url}/jobs/{job.id}")
        page.click("#log-full")
        until(page, "document.fullscreenElement?.id === 'log'")
        assert page.locator("#log-find:visible").count()
        assert page.evaluate("document.querySelector('pre.log').clientHeight > 600")
        page.click("#log-full")
        until(page, "document.fullscreenElement === null")


def test_a_link_to_a_line_leads_there(site: Site, page: Any) -> None:
    """Also to one that is not on the page, which asks for the part that has it."""
    job = make_job(1)
    claim = begin(site, job, b"".join(b"line %d\n" % n for n in range(1, 3001)))
    site.jobs.finish(claim, "done")
    with served(site) as url:
        page.goto(f"{url}/jobs/{job.id}#L12")
        page.wait_for_url(f"{url}/jobs/{job.id}?line=12#L12")
        assert "line 12" in page.inner_text("#L12")
        assert page.evaluate("document.querySelector('#L12').getBoundingClientRect().top < 800")


def test_times_are_in_the_readers_zone(site: Site, page: Any) -> None:
    """The server's are UTC; Tokyo is nine hours ahead."""
    job = make_job(1)
    begin(site, job, b"one\n")
    site.redis.delete(redis_keys.log_marks(job.id))
    site.redis.rpush(redis_keys.log_marks(job.id), "0 1 1767225600.0")
    with served(site) as url:
        assert "00:00:00" in page.context.request.get(f"{url}/jobs/{job.id}").text()
        page.goto(f"{url}/jobs/{job.id}")
        assert "09:00:00" == page.inner_text("#L1 time")


def test_pages_work_without_scripts(site: Site, chromium: Any) -> None:
    """They load again by themselves, and the log is there; tools that need the script are not."""
    job = make_job(1)
    begin(site, job, b"one\n")
    context = chromium.new_context(java_script_enabled=False, extra_http_headers=operator(site))
    page = context.new_page()
    with served(site) as url:
        page.goto(f"{url}/jobs/{job.id}")
        assert "one" in page.inner_text("pre.log")
        assert 0 == page.locator("#log-tools:visible").count()
        assert 1 == page.locator("meta[http-equiv=refresh]").count()
    context.close()
