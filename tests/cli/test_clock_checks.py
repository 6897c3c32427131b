"""``check`` says whether schedules tick, and whether sources of events answer."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tea_runner.broker.live_processes import ProcessFacts, ProcessKind
from tea_runner.broker.recent_trigger_events import ListedEvent
from tea_runner.broker.redis_server import RedisServer
from tea_runner.cli.schedule_checks import check_clock
from tea_runner.cli.trigger_source_checks import check_source
from tea_runner.core.events.trigger import Trigger
from tea_runner.wiring import Site
from tests.looking import REPOSITORY, make_site


@pytest.fixture
def site(broker: RedisServer, tmp_path: Path) -> Iterator[Site]:
    """A server that nothing runs of."""
    made = make_site(broker, tmp_path, trusted_branches="main")
    made.redis.flushall()
    yield made
    made.redis.close()


def run(site: Site, *kinds: ProcessKind) -> None:
    """Processes of these kinds run."""
    for number, kind in enumerate(kinds):
        site.processes.beat(ProcessFacts(name=f"{kind}-1", kind=kind, host="h", pid=str(number)))


def said(site: Site) -> list[str]:
    """The lines about the clock."""
    return [f"{each.name}({each.state}): {each.text}" for each in check_clock(site)]


def test_schedules_that_tick_have_a_line_with_the_next_time(site: Site) -> None:
    """And none where no branch has a schedule."""
    run(site, "plan", "reconcile")
    assert ["schedules(ok): none; times are in UTC"] == said(site)
    site.schedule_times.put(REPOSITORY, "main", 4_000_000_000.0)
    assert [
        f"schedules(ok): next tick: {REPOSITORY} main 2096-10-02T07:06:40Z; times are in UTC"
    ] == said(site)


@pytest.mark.parametrize(
    ("kinds", "lacking"),
    [
        (["reconcile"], "no planner runs, so nothing ticks; start one with: tea-runner planner"),
        (["plan"], "no reconciler runs, so nothing ticks; start one with: tea-runner reconcile"),
    ],
)
def test_what_has_to_run_is_named(site: Site, kinds: list[ProcessKind], lacking: str) -> None:
    """A planner records ticks, and a reconciler sees that they are due."""
    run(site, *kinds)
    site.schedule_times.put(REPOSITORY, "main", 4_000_000_000.0)
    assert f"schedules(warning): {lacking}" in said(site)


def test_a_tick_that_is_overdue_is_named(site: Site) -> None:
    """With how long, and where to look."""
    run(site, "plan", "reconcile")
    site.schedule_times.put(REPOSITORY, "main", time.time() - 7200)
    (line,) = said(site)
    assert f"schedules(warning): {REPOSITORY} main is overdue for 2 h;" in line
    assert "tea-runner runs" in line


def test_a_time_zone_that_does_not_exist_is_an_error(broker: RedisServer, tmp_path: Path) -> None:
    """With the setting that names it."""
    made = make_site(broker, tmp_path, schedules__time_zone="Mars/Olympus")
    lines = said(made)
    made.redis.close()
    assert ["schedules(error): schedules.time_zone: there is no time zone 'Mars/Olympus'"] == lines


def stream(url: str) -> Trigger:
    """A stream at an address."""
    return Trigger(name="feed", kind="http", repository=REPOSITORY, folder="feed", url=url)


def test_a_source_that_answers_has_its_last_event(site: Site) -> None:
    """How long ago, and what became of it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/feed"
        assert ("ok", f"{url} answers; no event yet") == check_source(site, stream(url))
        site.events.add(
            [
                ListedEvent(
                    trigger="feed",
                    kind="http",
                    repository=REPOSITORY,
                    branch="main",
                    event="1",
                    received=time.time() - 120,
                    outcome="committed",
                )
            ]
        )
        found = check_source(site, stream(url))
    assert ("ok", f"{url} answers; last event 2 min ago: committed") == found


def test_a_source_that_does_not_answer_is_a_warning(site: Site) -> None:
    """With what to mend; a password in its address is not shown."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    state, text = check_source(site, stream(f"http://ada:secret@127.0.0.1:{port}/feed"))
    assert "warning" == state
    assert f"http://127.0.0.1:{port}/feed does not answer: Connection refused; " in text
    assert "correct url of [[triggers]] feed" in text
    assert "secret" not in text


def test_a_bucket_that_does_not_answer_is_a_warning(broker: RedisServer, tmp_path: Path) -> None:
    """The storage that it belongs to is named."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    options = {"host": "127.0.0.1", "port": str(port), "bucket": "incoming"}
    storage = [{"name": "bucket", "type": "S3", "options": options}]
    made = make_site(broker, tmp_path, storage=storage)
    trigger = Trigger(
        name="new", kind="objects", repository=REPOSITORY, folder="raw", storage="bucket"
    )
    found = check_source(made, trigger)
    made.redis.close()
    mend = "start it, or correct the [[storage]] bucket"
    assert (
        "warning",
        f"storage bucket does not answer: Connection refused; {mend}",
    ) == found
