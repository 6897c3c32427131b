"""What the forge is told of a commit: once, in the end rightly, and whatever happened to Redis meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tea_runner.embedded import EmbeddedForge
from tea_runner.embedded.manners import Fault, Manners
from tests.e2e.hands import Hands
from tests.e2e.lab import Lab
from tests.e2e.pipelines import ATTRIBUTES, COPY, spec


class Counting(Manners):
    """Good manners to people; git of the server may be refused; statuses are counted."""

    def __init__(self) -> None:
        self.refuses = False
        self.cuts = False
        self.posted = 0
        self.asked = 0

    def answer(self, method: str, path: str) -> Fault | None:
        """503 for what is fetched, and no whole answer to a status, while it is wished."""
        self.posted += method == "POST" and "/statuses/" in path
        self.asked += method == "GET" and path.endswith("/status")
        if self.cuts and method == "POST" and "/statuses/" in path:
            return Fault(keep=9)
        return Fault(status=503) if self.refuses and "/git-upload-pack" in path else None


@pytest.fixture
def manners() -> Counting:
    """Of the forge."""
    return Counting()


@pytest.fixture
def lab(tmp_path: Path, manners: Counting) -> Iterator[Lab]:
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
def hands(lab: Lab) -> Iterator[Hands]:
    """Its server."""
    with_hands = Hands(lab)
    yield with_hands
    with_hands.close()


@pytest.mark.parametrize(("lost", "cut"), [(False, False), (True, False), (False, True)])
def test_an_obstacle_that_is_gone_is_taken_back(
    lab: Lab, hands: Hands, manners: Counting, lost: bool, cut: bool
) -> None:
    """Fetching failed three times; the next plan gets through and turns that mark green, too.

    It does so even if Redis has forgotten that there was one, or the forge's answer never arrived.
    """
    pushed = lab.git("rev-parse", "HEAD").strip()
    hands.plan()
    forge = hands.site.forge
    assert {"tea-runner/up": ("pending", "1 to run")} == forge.statuses(lab.name, pushed)

    manners.refuses, manners.cuts = True, cut
    hands.plan()
    manners.refuses, manners.cuts = False, False
    assert "error" == forge.statuses(lab.name, pushed)["tea-runner/plan"][0]
    if lost:
        hands.site.redis.flushall()

    hands.plan()
    hands.work()
    hands.plan()
    assert {
        "tea-runner/plan": ("success", "planned"),
        "tea-runner/up": ("success", "1 done"),
    } == forge.statuses(lab.name, pushed)


def test_what_stands_is_not_said_again_when_redis_was_lost(
    lab: Lab, hands: Hands, manners: Counting
) -> None:
    """The forge keeps a row for each call, so a server without memory looks first."""
    hands.plan()
    hands.work()
    hands.plan()
    said = manners.posted
    assert 3 == said  # pending and success of the pushed commit, success of the results commit
    assert 2 == manners.asked  # each commit once

    hands.plan()
    assert (said, 2) == (manners.posted, manners.asked)
    hands.site.redis.flushall()
    hands.plan()
    assert (said, 4) == (manners.posted, manners.asked)
