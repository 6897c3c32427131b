"""What is remembered of a branch does not grow with its history."""

from __future__ import annotations

import pytest

from tea_runner.core.results.manifest import Manifest, Row
from tea_runner.flow import planning_cache
from tea_runner.flow.planning_cache import PlanningCache


def manifest(number: int) -> Manifest:
    """Of ten rows."""
    return Manifest.of([Row(f"in:{number}-{n}", "k", "", ("out",)) for n in range(10)])


def push(known: PlanningCache, number: int) -> None:
    """A piece of work that needs one manifest, and one home that has all of its outputs."""
    name = (f"head{number}", "")
    known.manifests.put(name, manifest(number))
    known.lost.put(f"tree{number}", (manifest(number), ()))
    known.evict_unused()


def test_manifests_and_homes_of_former_pushes_are_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the last pushes stay, so that going back to one of them reads nothing."""
    monkeypatch.setattr(planning_cache, "_ROWS", 25)
    known = PlanningCache()
    for number in range(20):
        push(known, number)

    there = [n for n in range(20) if known.manifests.get((f"head{n}", "")) is not None]
    homes = [n for n in range(20) if known.lost.get(f"tree{n}") is not None]
    assert there == homes
    assert 19 in there
    assert 3 <= len(there) <= 6


def test_what_every_push_needs_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many manifests a dataset has: those in use are not read again with each push."""
    monkeypatch.setattr(planning_cache, "_ROWS", 5)
    known = PlanningCache()
    names = [(f"head{number}", "") for number in range(10)]
    for number, name in enumerate(names):
        known.manifests.put(name, manifest(number))
    for _ in range(5):
        known.evict_unused()
        assert [10] * 10 == [found.count for name in names if (found := known.manifests.get(name))]


def test_what_is_known_of_subdatasets_rests_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """They have manifests of their own."""
    monkeypatch.setattr(planning_cache, "_ROWS", 5)
    known = PlanningCache()
    known.subdatasets["sub"] = PlanningCache()
    for number in range(3):
        known.subdatasets["sub"].manifests.put((f"head{number}", ""), manifest(number))
        known.evict_unused()

    assert known.subdatasets["sub"].manifests.get(("head0", "")) is None
    assert known.subdatasets["sub"].manifests.get(("head2", "")) is not None
