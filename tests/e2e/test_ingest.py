"""Ingest: pipelines whose only input is a clock fetch from a server; the examples with a schedule."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tea_runner.core.planning.run import Run
from tea_runner.flow.trigger_by_hand import trigger
from tests.e2e.conftest import folder_lab
from tests.e2e.lab import Lab
from tests.http_source import Source

pytestmark = pytest.mark.long


@pytest.fixture
def source() -> Iterator[Source]:
    """A server with an empty answer."""
    made = Source()
    yield made
    made.close()


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A lab whose commands reach this machine."""
    made = folder_lab(tmp_path, network=True)
    yield made
    made.close()


class Ticks:
    """Ticks of a pipeline of an example, each a second after the one before."""

    def __init__(self, lab: Lab, pipeline: str, url: str) -> None:
        self._lab, self._pipeline, self._url, self._number = lab, pipeline, url, 0

    def next(self) -> Run:
        """One tick; the run that it led to."""
        self._number += 1
        name = f"2026-11-30T12:00:{self._number:02d}Z"
        values = {"url": self._url}
        site = self._lab.site()
        run = trigger(site, "lab/data", "main", self._pipeline, name, "Ada", variables=values)
        self._lab.work_off()
        assert run is not None
        ended = site.runs.get(run.id)
        assert ended is not None
        return ended


def test_a_table_is_fetched_each_day(lab: Lab, source: Source) -> None:
    """The same bytes make no commit, others do; a source that does not answer leaves what there is."""
    lab.create("daily-csv")
    lab.push()
    lab.settle()
    ticks = Ticks(lab, "prices", source.url)
    source.body = b"item,price\nbread,2\nmilk,1\n"
    assert "settled" == ticks.next().state
    lab.pull()
    assert "1.50" == lab.git("show", "HEAD:mean/mean.txt").strip()
    messages = lab.git("log", "--format=%B", "--", "prices/prices.csv")
    assert f"Tea-Source: {source.url}\n" in messages
    assert f"--var url={source.url}" in messages
    tip = lab.tip()
    assert ("settled", tip, 2) == (ticks.next().state, lab.tip(), len(source.asked))

    source.status = 503
    assert ("failed", tip) == (ticks.next().state, lab.tip())
    source.status, source.body = 200, b"come back later\n"
    assert ("failed", tip) == (ticks.next().state, lab.tip())

    source.body = b"item,price\nbread,2\nmilk,2\n"
    assert "settled" == ticks.next().state
    lab.pull()
    assert "2.00" == lab.git("show", "HEAD:mean/mean.txt").strip()


def feed(*titles: str, built: str) -> bytes:
    """A feed with these items."""
    items = "".join(
        f"<item><title>{title}</title><link>https://example.org/{title}</link>"
        f"<guid>{title}</guid><pubDate>Mon, 30 Nov 2026 12:00:00 GMT</pubDate></item>"
        for title in titles
    )
    text = (
        f"<rss version='2.0'><channel><lastBuildDate>{built}</lastBuildDate>{items}</channel></rss>"
    )
    return text.encode()


def test_items_of_a_feed_become_files(lab: Lab, source: Source) -> None:
    """A feed that was only built anew makes no commit; a new item is one more file."""
    lab.create("rss-feed")
    lab.push()
    lab.settle()
    ticks = Ticks(lab, "feed", source.url)
    source.body = feed("one", "two", built="today")
    ticks.next()
    lab.pull()
    files = lab.git("ls-files", "feed/*.txt").split()
    assert 2 == len(files)
    tip = lab.tip()
    source.body = feed("two", "one", built="tomorrow")
    assert ("settled", tip) == (ticks.next().state, lab.tip())
    source.body = feed("two", "three", built="tomorrow")
    ticks.next()
    lab.pull()
    texts = [(lab.dataset / name).read_text() for name in lab.git("ls-files", "feed/*.txt").split()]
    assert ["title: three", "title: two"] == sorted(text.splitlines()[0] for text in texts)
    assert 3 == len(source.asked)
