"""What the forge says of repositories is asked once a minute, and not relied on for long without it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tea_runner.core.errors import ForgeError
from tea_runner.core.repository_visibility import Audience
from tea_runner.forge.cached_facts import CachedFacts
from tests.twins.forge import MemoryForge

NAME = "lab/data"


class Counting(MemoryForge):
    """Counts what is asked."""

    asked = 0

    def branch_protection(self, repository: str):  # type: ignore[no-untyped-def]
        """As the twin."""
        self.asked += 1
        return super().branch_protection(repository)

    def audience(self, repository: str) -> Audience:
        """As the twin."""
        self.asked += 1
        return super().audience(repository)


class World:
    """A forge, a clock, and processes of one host."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.forge = Counting()
        self.forge.create(NAME)
        self.forge.push(NAME, {"refs/heads/main": "1" * 40, "refs/heads/x": "1" * 40})
        self.now = 1_000_000.0

    def process(self) -> CachedFacts:
        """Another process."""
        return CachedFacts(self.forge, self.folder, lambda: self.now)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """With nothing asked yet."""
    return World(tmp_path / "facts")


def test_all_processes_of_a_host_share_an_answer(world: World) -> None:
    """For a minute; then the next one asks again, and the others have its answer."""
    one, other = world.process(), world.process()
    for facts in (one, other, one):
        assert ("main",) == facts.branch_protection(NAME, "main").trusted
    assert 1 == world.forge.asked

    world.forge.protect(NAME, "x")
    assert ("main",) == other.branch_protection(NAME, "x").trusted
    world.now += 61
    for facts in (one, other):
        assert ("main", "x") == facts.branch_protection(NAME, "x").trusted
    assert 2 == world.forge.asked


def test_a_branch_that_is_new_is_asked_for(world: World) -> None:
    """The forge may protect it by a rule; not more often than every few seconds."""
    facts = world.process()
    facts.branch_protection(NAME)
    world.forge.push(NAME, {"refs/heads/release": "1" * 40})
    world.forge.protect(NAME, "release")
    facts.branch_protection(NAME, "release")
    assert 1 == world.forge.asked
    world.now += 6

    assert "release" in facts.branch_protection(NAME, "release").trusted
    assert 2 == world.forge.asked


def test_the_last_answer_counts_for_some_minutes(world: World) -> None:
    """While the forge does not answer; then nothing is known, whatever is in the file."""
    facts = world.process()
    facts.branch_protection(NAME)
    world.forge.reachable = False
    world.now += 590
    assert ("main",) == facts.branch_protection(NAME).trusted
    world.now += 20
    for each in (facts, world.process()):
        with pytest.raises(ForgeError):
            each.branch_protection(NAME)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"seconds": "x"}', '{"seconds": 1e300, "fact": {}}']
)
def test_a_damaged_file_is_asked_for_again(world: World, text: str) -> None:
    """And so is one from the future."""
    world.process().branch_protection(NAME)
    (file,) = world.folder.iterdir()
    file.write_text(text)

    assert ("main",) == world.process().branch_protection(NAME).trusted
    assert 2 == world.forge.asked


def test_a_repository_that_the_forge_does_not_show_has_no_facts(world: World) -> None:
    """Access was withdrawn: the last answer counts no more."""
    facts = world.process()
    facts.audience(NAME)
    world.forge.remove(NAME)
    world.now += 61

    with pytest.raises(ForgeError):
        facts.audience(NAME)


def test_an_audience_comes_back_as_it_was(world: World) -> None:
    """From the forge, and from the file."""
    audience = Audience(
        visibility="private", owner="lab", people=frozenset({"a", "b"}), teams=frozenset({1})
    )
    world.forge.show(NAME, audience)

    assert audience == world.process().audience(NAME) == world.process().audience(NAME)
    assert 1 == world.forge.asked
