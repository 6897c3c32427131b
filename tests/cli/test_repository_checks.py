"""``tea-runner check`` names the trusted branches of each repository, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tea_runner.cli.forge_repository_checks import check_repositories, check_storages
from tea_runner.cli.installation_checks import Finding
from tea_runner.core.repository_visibility import Audience
from tea_runner.wiring import Site
from tests.hostile.forge import HostileForge
from tests.twins.forge import MemoryForge

NAME = "lab/mine"


@pytest.fixture
def forge() -> MemoryForge:
    """A forge with one repository, whose default branch is protected."""
    made = MemoryForge()
    made.create(NAME)
    made.push(NAME, {f"refs/heads/{name}": "1" * 40 for name in ("main", "release", "x")})
    made.protect(NAME, "main", "release")
    return made


@pytest.fixture
def site(tmp_path: Path, forge: MemoryForge) -> Iterator[Site]:
    """A server that watches it."""
    made = HostileForge(tmp_path)
    vars(made.site)["forge"] = forge
    yield made.site
    made.close()


def _trust(site: Site) -> Finding:
    (found,) = [each for each in check_repositories(site) if each.name == f"trust {NAME}"]
    return found


def test_trusted_branches_are_named(site: Site) -> None:
    """The default one and those that the forge protects."""
    assert Finding(f"trust {NAME}", "ok", "main, release, as the forge says") == _trust(site)


@pytest.mark.parametrize(
    ("protected", "refs", "text"),
    [
        (("release",), {}, "everybody who may push decides what main reuses"),
        (("main",), {"refs/heads/main": None}, "the default branch main does not exist"),
    ],
)
def test_an_unprotected_or_missing_default_branch_is_a_warning(
    site: Site,
    forge: MemoryForge,
    protected: tuple[str, ...],
    refs: dict[str, None],
    text: str,
) -> None:
    """With the next step."""
    forge.protect(NAME, *protected)
    for ref in refs:
        del forge._repositories[NAME].refs[ref]
    found = _trust(site)

    assert ("warning", True) == (found.state, text in found.text)


def test_a_repository_without_a_default_branch_is_a_warning(site: Site, forge: MemoryForge) -> None:
    """No name stands in the sentence, because there is none."""
    forge._repositories[NAME].default = ""

    assert Finding(
        f"trust {NAME}",
        "warning",
        "main, release; the forge names no default branch; choose one there",
    ) == _trust(site)


def test_a_forge_that_does_not_answer_is_a_warning(site: Site, forge: MemoryForge) -> None:
    """Nothing is planned until it does."""
    forge.reachable = False
    (found,) = check_repositories(site)

    assert "warning" == found.state


def test_a_storage_of_repositories_with_different_readers_is_an_error(
    site: Site, forge: MemoryForge
) -> None:
    """As soon as one of them may be read by somebody else; not while their readers are the same."""
    forge.create("lab/other")
    forge.push("lab/other", {"refs/heads/main": "1" * 40})
    for name in (NAME, "lab/other"):
        assert "" == site.storage_conflict(name, "store")
    assert [] == list(check_storages(site))

    forge.show("lab/other", Audience(visibility="private", owner="lab"))
    site.forge_facts._answers.clear()
    for file in (site.state_folder / "forge-facts").iterdir():
        file.unlink()
    (found,) = check_storages(site)
    assert ("storage store", "error") == (found.name, found.state)
    assert "lab/mine and lab/other use it and have different readers" in found.text
