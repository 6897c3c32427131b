"""PublicationCounts: of one process, and of Redis."""

from __future__ import annotations

import pytest

from tea_runner.flow.publication_loop_limit import LocalPublicationCounts
from tea_runner.ports import PublicationCounts
from tea_runner.wiring import Site
from tests.looking import broker, site

__all__ = ["broker", "site"]


@pytest.fixture(params=["memory", "redis"])
def counts(request: pytest.FixtureRequest) -> PublicationCounts:
    """The counts of one branch."""
    if request.param == "memory":
        return LocalPublicationCounts()
    here: Site = request.getfixturevalue("site")
    return here.publication_counts("lab/data", "main")


def test_each_pipeline_is_counted(counts: PublicationCounts) -> None:
    """Nothing was published at first."""
    assert {} == counts.of("a push")
    for name in ("copy", "sum", "copy"):
        counts.add("a push", name)
    assert {"copy": 2, "sum": 1} == counts.of("a push")


def test_other_inputs_start_the_count_anew(counts: PublicationCounts) -> None:
    """The former inputs are forgotten: what is kept does not grow."""
    counts.add("a push", "copy")
    assert {} == counts.of("another push")
    counts.add("another push", "sum")
    assert ({}, {"sum": 1}) == (counts.of("a push"), counts.of("another push"))


def test_a_reset_starts_the_count_anew(site: Site) -> None:
    """As tea-runner retry does; each branch has counts of its own."""
    counts = site.publication_counts("lab/data", "main")
    other = site.publication_counts("lab/data", "other")
    for each in (counts, other):
        each.add("a push", "copy")
    counts.reset()
    assert ({}, {"copy": 1}) == (counts.of("a push"), other.of("a push"))
