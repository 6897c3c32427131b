"""``[skip ci]`` in the message of the pushed commit: nothing starts, and everybody is told."""

from __future__ import annotations

import pytest

from tests.durations import without_duration
from tests.e2e.hands import Hands
from tests.e2e.lab import Lab

_SAID = "skipped: the commit's message says [skip ci]; the next push is processed"


def _push(lab: Lab, text: str, message: str) -> str:
    lab.write({"raw/a.txt": text})
    lab.save(message)
    return lab.push()


@pytest.mark.long
def test_a_push_that_asks_to_be_skipped_starts_nothing(forged: Lab, hands: Hands) -> None:
    """Not by the reconciler either; the next push includes its change."""
    hands.plan()
    hands.work()
    hands.plan()
    forged.pull()
    skipped = _push(forged, "b\n", "correct [skip ci]")
    hands.plan()
    site = hands.site

    assert set() == set(site.jobs.waiting())
    assert {"tea-runner/plan": ("warning", _SAID)} == site.forge.commit_statuses(
        forged.name, skipped
    )
    run = site.runs.latest()[0]
    assert (skipped, "superseded", True) == (run.commit, run.state, run.has_ended)
    assert "skipped, as [skip ci] in the commit's message asks" == run.superseded
    assert [] == hands.reconciler.round()
    assert [] == site.runs.open()

    site.redis.flushall()
    hands.reconciler.round()
    hands.plan()
    assert set() == set(site.jobs.waiting())
    assert skipped == forged.tip()

    forged.write({"README.md": "now\n"})
    forged.save("describe")
    last = forged.push()
    hands.plan()
    assert 1 == len(hands.work()), "what was skipped is computed now"
    hands.plan()
    found = site.forge.commit_statuses(forged.name, last)["tea-runner/up"]
    assert ("success", "1 done") == (found[0], without_duration(found[1]))
    forged.pull()
    assert "b\n" == forged.git("show", "HEAD:up/a.txt")


@pytest.mark.long
def test_the_run_before_a_skipped_push_ends(forged: Lab, hands: Hands) -> None:
    """Its job goes on; the result is known to the next push."""
    first = forged.git("rev-parse", "HEAD").strip()
    hands.plan()
    (job,) = hands.site.jobs.waiting()
    forged.write({"README.md": "x\n"})
    forged.save("describe [skip tea]")
    forged.push()
    hands.plan()

    new, old = hands.site.runs.latest()
    assert ("superseded", first, new.id) == (old.state, old.commit, old.superseded_by)
    state, _ = hands.site.forge.commit_statuses(forged.name, first)["tea-runner/up"]
    assert "warning" == state
    assert [job] == hands.work()
    hands.plan()
    tip = forged.tip()
    forged.write({"README.md": "y\n"})
    forged.save("describe again")
    pushed = forged.push()
    assert forged.git("rev-parse", "HEAD^").strip() == tip
    hands.plan()
    assert pushed != forged.tip(), "published without a job"
    assert set() == set(hands.site.jobs.waiting())


@pytest.mark.long
def test_a_results_commit_and_a_merge_are_not_asked(forged: Lab, hands: Hands) -> None:
    """A pipeline named like the marker, and a merge that repeats a title with it."""
    forged.git("checkout", "-q", "-b", "side")
    _push(forged, "c\n", "one [skip ci]")
    hands.plan("side")
    assert set() == set(hands.site.jobs.waiting())
    forged.git("checkout", "-q", "main")
    forged.git("merge", "-q", "--no-ff", "-m", "Merge 'one [skip ci]'", "side")
    forged.push()
    hands.plan()

    assert 1 == len(hands.work())
