"""Every run and every commit status has an end, also when a newer push replaces the run."""

from __future__ import annotations

import pytest

from tea_runner.broker import redis_keys
from tea_runner.core.planning.run import Run
from tests.e2e.hands import Hands
from tests.e2e.lab import Lab
from tests.e2e.pipelines import COPY, spec
from tests.workers.conftest import Counting


def _status(hands: Hands, lab: Lab, commit: str) -> tuple[str, str]:
    return hands.site.forge.commit_statuses(lab.name, commit)["tea-runner/up"]


def _push(lab: Lab, text: str = f"true; {COPY}") -> str:
    lab.write({"up/spec.yml": spec("up", text)})
    lab.save()
    return lab.push()


def _runs(hands: Hands) -> list[Run]:
    return hands.site.runs.latest()


@pytest.mark.parametrize("works", [False, True])
def test_a_push_that_is_overtaken_ends_as_superseded(
    forged: Lab, hands: Hands, works: bool
) -> None:
    """On the pages and on the forge, with what replaced it; also when its job was running."""
    first = forged.git("rev-parse", "HEAD").strip()
    hands.plan()
    job = hands.site.jobs.claim(hands.site.jobs.waiting()[0], "w", "t") if works else None
    second = _push(forged)
    hands.plan()

    new, old = _runs(hands)
    assert (second, first) == (new.commit, old.commit)
    assert ("superseded", new.id) == (old.state, old.superseded_by)
    assert f"replaced by the push of {second[:12]}" == old.superseded
    state, text = _status(hands, forged, first)
    assert ("warning", True) == (state, second[:12] in text)
    assert "pending" == _status(hands, forged, second)[0]
    assert [new.id] == [run.id for run in hands.site.runs.open()]
    if job is not None:
        hands.site.jobs.finish(job, "done")
    hands.work()
    hands.plan()
    assert ["settled", "superseded"] == [run.state for run in _runs(hands)]


def test_a_deleted_branch_ends_its_run(forged: Lab, hands: Hands) -> None:
    """Once the planner or the reconciler has seen it."""
    forged.git("checkout", "-q", "-b", "side")
    commit = _push(forged)
    hands.plan("side")
    forged.git("push", "-q", "origin", ":side")

    hands.reconciler.round()

    (run,) = _runs(hands)
    assert ("superseded", "the branch side was deleted") == (run.state, run.superseded)
    assert "warning" == _status(hands, forged, commit)[0]


def test_a_push_without_pipelines_ends_the_run_before_it(forged: Lab, hands: Hands) -> None:
    """Though it has no run itself."""
    hands.plan()
    forged.write({"up/spec.yml": None})
    commit = forged.save()
    forged.push()
    hands.plan()

    (run,) = _runs(hands)
    assert "superseded" == run.state
    assert commit[:12] in run.superseded


def test_the_reconciler_ends_runs_of_former_versions(
    forged: Lab, hands: Hands, faults: Counting
) -> None:
    """They stay open until the forge has taken the status."""
    first = forged.git("rev-parse", "HEAD").strip()
    hands.plan()
    redis = hands.site.redis
    _push(forged)
    branch = redis_keys.branch_id(forged.name, "main")
    redis.delete(redis_keys.open_runs(), redis_keys.branch_run(branch))
    faults.refuses_statuses = True
    hands.plan()
    assert "pending" == _status(hands, forged, first)[0]
    faults.refuses_statuses = False

    hands.reconciler.round()

    assert ["running", "superseded"] == [run.state for run in _runs(hands)]
    assert "warning" == _status(hands, forged, first)[0]


@pytest.mark.long
def test_a_commit_with_another_open_run_keeps_its_status(forged: Lab, hands: Hands) -> None:
    """Statuses belong to commits: the run of another branch has something to say still."""
    first = forged.git("rev-parse", "HEAD").strip()
    hands.plan()
    forged.git("push", "-q", "origin", "HEAD:refs/heads/twin")
    hands.plan("twin")
    _push(forged)
    hands.plan()

    assert {"running", "superseded"} == {run.state for run in _runs(hands) if run.commit == first}
    assert "pending" == _status(hands, forged, first)[0]


@pytest.mark.long
def test_a_retry_is_a_run_of_its_own(forged: Lab, hands: Hands) -> None:
    """The failed attempt stays as it was, with its error and its count."""
    _push(forged, "test -e /no/such; exit 1")
    hands.plan()
    hands.work()
    hands.plan()
    (failed,) = [run for run in _runs(hands) if run.state == "failed"]
    site = hands.site
    site.jobs.forget_failures(forged.name, [row.key for row in failed.pipelines[0].datums])
    asked = site.runs.request(forged.name, "main", "retry requested")
    assert asked is not None
    hands.plan()
    hands.work()
    hands.plan()

    new = site.runs.get(asked.id)
    assert new is not None
    assert ("failed", 2, failed.id) == (new.state, new.attempt, new.previous)
    assert failed == site.runs.get(failed.id)
    assert {"failed": 1} == new.pipelines[0].counts == failed.pipelines[0].counts
