"""Pages without reload: events when something changes, and the lines of a log as they are written."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from tea_runner.broker.job_logs import JobLog
from tea_runner.present.ansi_to_html import TerminalText
from tea_runner.web import event_stream_timing
from tea_runner.web.log_lines import last_part, next_part, part_with_line
from tea_runner.wiring import Site
from tests.looking import REPOSITORY, RUN, begin, make_job, save


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream_timing, "_PAUSE", 0.05)
    monkeypatch.setattr(event_stream_timing, "_LONGEST", 5.0)


def events(text: str) -> list[tuple[str, str]]:
    """Names and data of the events of a stream."""
    return re.findall(r"^event: (\w+)\ndata: (.*)$", text, re.MULTILINE)


def lines(html: str) -> list[tuple[int, str]]:
    """Numbers and texts of rendered lines."""
    rows = re.findall(r'id="L(\d+)"><a.*?<span>(.*?)\n</span></span>', html, re.DOTALL)
    return [(int(number), re.sub("<[^>]+>", "", text)) for number, text in rows]


def test_a_run_says_when_it_changes_and_when_it_has_ended(site: Site, pages: FlaskClient) -> None:
    """The page asks for itself again at each change; afterwards the stream ends."""
    jobs = [make_job(1)]
    site.jobs.enqueue(jobs[0])
    save(site, jobs)
    stream: Iterator[bytes] = iter(pages.get(f"/runs/{RUN}/events").response)
    assert b"retry:" in next(stream)
    claim = site.jobs.claim(jobs[0].id, "worker", "token")
    assert claim is not None
    assert b"event: change" in next(stream)
    site.jobs.finish(claim, "done")
    save(site, jobs, state="settled")
    rest = b"".join(stream).decode()
    assert [("change", ""), ("end", "")] == events(rest)


def test_streams_exist_for_what_exists_only(site: Site, pages: FlaskClient) -> None:
    """Also an ended run has one, which ends at once."""
    save(site, [], state="settled")
    assert [("end", "")] == events(pages.get(f"/runs/{RUN}/events").text)
    for path in (
        f"/runs/{'0' * 12}/events",
        f"/jobs/{'0' * 32}/events",
        f"/jobs/{'0' * 32}/log/events",
        "/repos/lab/none/events",
        "/repos/../etc/events",
    ):
        assert 404 == pages.get(path).status_code, path


def test_pages_name_their_streams_while_they_change(site: Site, pages: FlaskClient) -> None:
    """Without a script they load again, slowly; the element for that is not there with one."""
    job = make_job(1)
    claim = begin(site, job, b"one\n")
    save(site, [job])
    for path in (f"/runs/{RUN}", f"/jobs/{job.id}", f"/repos/{REPOSITORY}"):
        html = pages.get(path).text
        assert f'data-events="{path}/events"' in html
        assert '<noscript><meta http-equiv="refresh"' in html
    assert f'data-events="/jobs/{job.id}/log/events?from=4-2-"' in pages.get(f"/jobs/{job.id}").text
    site.jobs.finish(claim, "done")
    assert "data-events" not in pages.get(f"/jobs/{job.id}").text


def test_a_log_is_followed_line_by_line(site: Site, pages: FlaskClient) -> None:
    """From the place that the page ends at; whole lines, numbered on, until the job has ended."""
    job = make_job(1)
    claim = begin(site, job, b"one\ntwo\nthr")
    log = JobLog(site.redis, job.id, 1 << 20)
    first = last_part(site.log(job.id), ended=False)
    assert [(1, "one"), (2, "two")] == lines(first.html)

    def work() -> None:
        log.write(b"ee\nfour")
        site.jobs.finish(claim, "done")

    threading.Timer(0.3, work).start()
    found = events(pages.get(f"/jobs/{job.id}/log/events?from={first.place}").text)
    assert "end" == found[-1][0]
    sent = [line for name, data in found if name == "lines" for line in lines(json.loads(data))]
    assert [(3, "three"), (4, "four")] == sent


def test_the_api_follows_the_raw_text_of_a_log(site: Site, pages: FlaskClient) -> None:
    """From a byte on; half a line waits for its end, and each event says where the next begins."""
    job = make_job(1)
    claim = begin(site, job, b"one\ntwo\nthr")
    log = JobLog(site.redis, job.id, 1 << 20)

    def work() -> None:
        log.write(b"ee\nf\xc3\xbcnf")
        site.jobs.finish(claim, "done")

    threading.Timer(0.3, work).start()
    text = pages.get(f"/api/v1/jobs/{job.id}/log/events?from=4").text
    found = events(text)
    assert "end" == found[-1][0]
    assert "two\nthree\nfünf" == "".join(json.loads(data) for name, data in found if name == "text")
    last = re.findall("^id: (.*)$", text, re.MULTILINE)[-1]
    assert str(site.log(job.id).size()) == last
    again = pages.get(f"/api/v1/jobs/{job.id}/log/events", headers={"Last-Event-ID": last}).text
    assert [("end", "")] == events(again)
    assert [("restart", "")] == events(pages.get(f"/api/v1/jobs/{job.id}/log/events?from=999").text)


def test_a_browser_that_connects_again_gets_no_line_twice(site: Site, pages: FlaskClient) -> None:
    """It sends the place of the last event."""
    job = make_job(1)
    site.jobs.finish(begin(site, job, b"one\ntwo\n"), "done")
    path = f"/jobs/{job.id}/log/events?from=0-1-"
    text = pages.get(path).text
    place = re.findall("^id: (.*)$", text, re.MULTILINE)[-1]
    assert [("end", "")] == events(pages.get(path, headers={"Last-Event-ID": place}).text)
    for wrong in ("x", "-", "9-9-<script>", "99999999999999999999-1-", "0-1-" + "b" * 99, "²-1-"):
        assert (
            200
            == pages.get(
                path, headers={"Last-Event-ID": wrong.encode().decode("latin-1")}
            ).status_code
        )


def test_another_attempt_says_so(site: Site, pages: FlaskClient) -> None:
    """Its log is shorter than what the page has."""
    job = make_job(1)
    begin(site, job, b"new\n")
    text = pages.get(f"/jobs/{job.id}/log/events?from=5000-99-").text
    assert [("restart", "")] == events(text)


def test_lines_have_numbers_and_times_also_at_the_end_of_a_long_log(site: Site) -> None:
    """Also where the middle was dropped; the numbers are those of all lines that were written."""
    log = JobLog(site.redis, "1" * 32, 100_000)
    log.start()
    for number in range(1, 30_001):
        log.write(b"line %d\n" % number)
    reader = site.log("1" * 32)
    last = lines(last_part(reader, ended=True).html)
    assert (30_000, "line 30000") == last[-1]
    assert (29_600, "line 29600") in last
    early = lines(part_with_line(reader, 1500, ended=True).html)
    assert (1500, "line 1500") in early
    assert len(early) < 20_000
    assert "<time datetime=" in last_part(reader, ended=True).html


def test_a_line_without_end_is_sent_in_pieces(site: Site) -> None:
    """And takes no more memory than a part."""
    log = JobLog(site.redis, "1" * 32, 1 << 20)
    log.start()
    log.write(b"x" * 200_000)
    part = next_part(site.log("1" * 32), "0-1-", ended=False)
    assert 4000 < len(part.html) < 10_000
    assert part.offset > 0


@pytest.mark.parametrize(
    ("line", "html"),
    [
        ("\x1b[31mred\x1b[0m plain", '<span class="tf1">red</span> plain'),
        (
            "\x1b[1;92mbold\x1b[22m on",
            '<span class="tb tf10">bold</span><span class="tf10"> on</span>',
        ),
        ("\x1b[38;5;3;48;2;1;2;3mx", '<span class="tf3">x</span>'),
        ("\x1b[38;5;200mx", "x"),
        ("\x1b]0;title\x07\x1b[2J\x1b[3Aa<b>&", "a&lt;b&gt;&amp;"),
        ("\x1b]8;;http://evil/\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("10 %\r\x1b[32m50 %\rdone\r", '<span class="tf2">done</span>'),
        ("\x1b[31", "\\x1b[31"),
        ("a\u202eb\x00", "a\\u202eb\\x00"),
        ("\x1b[" + "1;" * 200 + "m", "\\x1b[" + "1;" * 200 + "m"),
    ],
)
def test_colours_of_terminals_are_classes_and_nothing_else_gets_through(
    line: str, html: str
) -> None:
    """Titles, links, movements and bells are left out; text is escaped."""
    assert html == TerminalText().html(line)


def test_a_colour_goes_on_in_the_next_line_and_the_next_part() -> None:
    """As in a terminal."""
    terminal = TerminalText()
    terminal.html("\x1b[1;31mone")
    assert "bf1" == terminal.state
    assert '<span class="tb tf1">two</span>' == TerminalText(terminal.state).html("two")
    assert "two" == TerminalText('b"><script>').html("two")
