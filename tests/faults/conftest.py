"""Histories that were made without faults, once for all tests of this folder."""

from __future__ import annotations

import pytest

from tests.faults.oracle import Lineage, make_lineage


@pytest.fixture(scope="session")
def lineages(tmp_path_factory: pytest.TempPathFactory) -> list[Lineage]:
    """Some histories, of different content."""
    root = tmp_path_factory.mktemp("oracle")
    monkeypatch = pytest.MonkeyPatch()
    home = tmp_path_factory.mktemp("home")
    (home / ".gitconfig").write_text(
        "[user]\n\tname = Test\n\temail = test@example.org\n[init]\n\tdefaultBranch = main\n"
    )
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(home / ".gitconfig"))
    try:
        return [
            make_lineage(root / name, name) for name in ("ant", "bee", "cow", "dog", "eel", "fox")
        ]
    finally:
        monkeypatch.undo()
