"""A lab on the embedded forge, which records the requests and may respond with faults."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.hands import Hands
from tests.e2e.lab import Lab
from tests.e2e.pipelines import ATTRIBUTES, COPY, spec
from tests.faulty_forge import Fault, Faults, FaultyForge


class Counting(Faults):
    """No faults unless they are switched on; records the requests."""

    def __init__(self) -> None:
        #: Whether git is refused what it wants to fetch, and answers to statuses are cut off.
        self.refuses = self.cuts = False
        self.refuses_statuses = False
        #: Whether the token has been withdrawn.
        self.unauthorized = False
        self.asked: list[str] = []

    def response(self, method: str, path: str) -> Fault | None:
        """503, a few bytes, or all of it."""
        self.asked.append(f"{method} {path}")
        if self.unauthorized:
            return Fault(status=401)
        if self.cuts and method == "POST" and "/statuses/" in path:
            return Fault(keep=9)
        if self.refuses_statuses and method == "POST" and "/statuses/" in path:
            return Fault(status=503)
        return Fault(status=503) if self.refuses and "/git-upload-pack" in path else None

    def count(self, method: str, part: str) -> int:
        """How many requests had this in their paths."""
        return sum(part in each for each in self.asked if each.startswith(f"{method} "))


@pytest.fixture
def faults() -> Counting:
    """Of the forge."""
    return Counting()


@contextlib.contextmanager
def faulty_lab(folder: Path, faults: Faults) -> Iterator[Lab]:
    """A lab on the embedded forge, with a bot and an empty repository."""
    with FaultyForge(folder / "forge", faults=faults) as forge:
        forge.add_user("lab", "secret")
        forge.add_user("bot", "another secret", admin=True)
        forge.create_repository("lab", "data")
        token = folder / "token"
        token.write_text(forge.add_token("bot"))
        about = {"kind": "gitea", "url": forge.url, "user": "bot", "token_file": str(token)}
        made = Lab(folder, forge=about, push_url=forge.push_url("lab/data", "lab", "secret"))
        yield made
        made.close()


@pytest.fixture
def forged(tmp_path: Path, faults: Counting) -> Iterator[Lab]:
    """A lab on the embedded forge, with one pipeline that was pushed."""
    with faulty_lab(tmp_path, faults) as made:
        made.create(files={**ATTRIBUTES, "raw/a.txt": "a\n", "up/spec.yml": spec("up", COPY)})
        made.push()
        yield made


@pytest.fixture
def hands(forged: Lab) -> Iterator[Hands]:
    """Its server."""
    with_hands = Hands(forged)
    yield with_hands
    with_hands.close()
