"""A lab on the embedded forge, whose manners count what is asked and may be bad."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tea_runner.forge.embedded import EmbeddedForge
from tea_runner.forge.embedded.manners import Fault, Manners
from tests.e2e.hands import Hands
from tests.e2e.lab import Lab
from tests.e2e.pipelines import ATTRIBUTES, COPY, spec


class Counting(Manners):
    """Good manners, unless something else is wished; every request is noted."""

    def __init__(self) -> None:
        #: Whether git is refused what it wants to fetch, and answers to statuses are cut off.
        self.refuses = self.cuts = False
        self.asked: list[str] = []

    def answer(self, method: str, path: str) -> Fault | None:
        """503, a few bytes, or all of it."""
        self.asked.append(f"{method} {path}")
        if self.cuts and method == "POST" and "/statuses/" in path:
            return Fault(keep=9)
        return Fault(status=503) if self.refuses and "/git-upload-pack" in path else None

    def count(self, method: str, part: str) -> int:
        """How many requests had this in their paths."""
        return sum(part in each for each in self.asked if each.startswith(f"{method} "))


@pytest.fixture
def manners() -> Counting:
    """Of the forge."""
    return Counting()


@pytest.fixture
def forged(tmp_path: Path, manners: Counting) -> Iterator[Lab]:
    """A lab on the embedded forge, with one pipeline that was pushed."""
    with EmbeddedForge(tmp_path / "forge", manners=manners) as forge:
        forge.add_user("lab", "secret")
        forge.add_user("bot", "another secret", admin=True)
        forge.create_repository("lab", "data")
        token = tmp_path / "token"
        token.write_text(forge.add_token("bot"))
        about = {"kind": "gitea", "url": forge.url, "user": "bot", "token_file": str(token)}
        made = Lab(tmp_path, forge=about, push_url=forge.push_url("lab/data", "lab", "secret"))
        made.create(files={**ATTRIBUTES, "raw/a.txt": "a\n", "up/spec.yml": spec("up", COPY)})
        made.push()
        yield made
        made.close()


@pytest.fixture
def hands(forged: Lab) -> Iterator[Hands]:
    """Its server."""
    with_hands = Hands(forged)
    yield with_hands
    with_hands.close()
