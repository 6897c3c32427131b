"""Histories that were made without faults, shared by all tests of this folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.faults.oracle import Lineage, make_lineage

_GIT = "[user]\n\tname = Test\n\temail = test@example.org\n[init]\n\tdefaultBranch = main\n"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of this folder take long; the longest begins first, so that two processes end together."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.long)
    items.sort(key=lambda item: item.name != "test_every_step_and_every_fault")


def _make(factory: pytest.TempPathFactory, names: Sequence[str]) -> list[Lineage]:
    home = factory.mktemp("home")
    (home / ".gitconfig").write_text(_GIT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        patch.setenv("GIT_CONFIG_GLOBAL", str(home / ".gitconfig"))
        root = factory.mktemp("oracle")
        return [make_lineage(root / name, name) for name in names]


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> list[Lineage]:
    """Two histories, of different content."""
    return _make(tmp_path_factory, ("ant", "bee"))


@pytest.fixture(scope="session")
def lineages(tmp_path_factory: pytest.TempPathFactory, pair: list[Lineage]) -> list[Lineage]:
    """Some histories, of different content."""
    return [*pair, *_make(tmp_path_factory, ("cow", "dog", "eel"))]
