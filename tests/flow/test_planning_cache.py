"""The cache of a repository does not grow with the history of its branches."""

from __future__ import annotations

import pytest

from tea_runner.core.results.manifest import Manifest, Row
from tea_runner.flow import planning_cache
from tea_runner.flow.planning_cache import PlanningCache


def manifest(number: int) -> Manifest:
    """Of ten rows."""
    return Manifest.of([Row(f"in:{number}-{n}", "k", "", ("out",)) for n in range(10)])


def push(cache: PlanningCache, number: int) -> None:
    """A plan that needs one manifest."""
    cache.manifests.put((f"head{number}", ""), manifest(number))
    cache.evict_unused()


def test_manifests_of_former_pushes_are_evicted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the last pushes stay, so that going back to one of them reads nothing."""
    monkeypatch.setattr(planning_cache, "_ROWS", 25)
    cache = PlanningCache()
    for number in range(20):
        push(cache, number)

    kept = [n for n in range(20) if cache.manifests.get((f"head{n}", "")) is not None]
    assert 19 in kept
    assert 3 <= len(kept) <= 6


def test_what_every_push_needs_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many manifests a dataset has: those in use are not read again with each push."""
    monkeypatch.setattr(planning_cache, "_ROWS", 5)
    cache = PlanningCache()
    names = [(f"head{number}", "") for number in range(10)]
    for number, name in enumerate(names):
        cache.manifests.put(name, manifest(number))
    for _ in range(5):
        cache.evict_unused()
        assert [10] * 10 == [found.count for name in names if (found := cache.manifests.get(name))]


def test_what_is_cache_of_subdatasets_rests_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """They have manifests of their own."""
    monkeypatch.setattr(planning_cache, "_ROWS", 5)
    cache = PlanningCache()
    cache.subdatasets["sub"] = PlanningCache()
    for number in range(3):
        cache.subdatasets["sub"].manifests.put((f"head{number}", ""), manifest(number))
        cache.evict_unused()

    assert cache.subdatasets["sub"].manifests.get(("head0", "")) is None
    assert cache.subdatasets["sub"].manifests.get(("head2", "")) is not None
