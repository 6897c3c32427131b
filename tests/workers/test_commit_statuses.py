"""What the forge is told of a commit: once, in the end rightly, and whatever happened to Redis meanwhile."""

from __future__ import annotations

import pytest

from tests.durations import without_duration
from tests.e2e.hands import Hands
from tests.e2e.lab import Lab
from tests.workers.conftest import Counting


@pytest.mark.long
@pytest.mark.parametrize(("lost", "cut"), [(False, False), (True, False), (False, True)])
def test_an_obstacle_that_is_gone_is_taken_back(
    forged: Lab, hands: Hands, faults: Counting, lost: bool, cut: bool
) -> None:
    """Fetching failed three times; the next plan gets through and turns that mark green, too.

    It does so even if Redis has forgotten that there was one, or the forge's answer never arrived.
    """
    pushed = forged.git("rev-parse", "HEAD").strip()
    hands.plan()
    forge = hands.site.forge
    assert {"tea-runner/up": ("pending", "1 to run; no worker runs")} == forge.commit_statuses(
        forged.name, pushed
    )

    faults.refuses, faults.cuts = True, cut
    hands.plan()
    faults.refuses, faults.cuts = False, False
    assert "error" == forge.commit_statuses(forged.name, pushed)["tea-runner/plan"][0]
    if lost:
        hands.site.redis.flushall()

    hands.plan()
    hands.work()
    hands.plan()
    found = forge.commit_statuses(forged.name, pushed)
    assert {
        "tea-runner/plan": ("success", "planned"),
        "tea-runner/up": ("success", "1 done"),
    } == {name: (state, without_duration(text)) for name, (state, text) in found.items()}


@pytest.mark.long
def test_what_stands_is_not_said_again_when_redis_was_lost(
    forged: Lab, hands: Hands, faults: Counting
) -> None:
    """The forge keeps a row for each call, so a server without memory looks first."""
    hands.plan()
    hands.work()
    hands.plan()
    said = faults.count("POST", "/statuses/")
    assert 3 == said  # pending and success of the pushed commit, success of the results commit
    assert 2 == faults.count("GET", "/status")  # each commit once

    hands.plan()
    assert (said, 2) == (faults.count("POST", "/statuses/"), faults.count("GET", "/status"))
    hands.site.redis.flushall()
    hands.plan()
    assert (said, 4) == (faults.count("POST", "/statuses/"), faults.count("GET", "/status"))
