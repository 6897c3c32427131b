"""Approvals and pauses on a server: what people see, what begins, and what a lost Redis changes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tea_runner.core.planning.run import Run
from tea_runner.core.planning.run_status import RunStatus, run_status
from tea_runner.flow import approve_pause_resume
from tests.e2e.hands import Hands
from tests.e2e.lab import Lab

_SAID = "2 to run; waits for approval: would compute 2 datums; limits.ask_above is 1"


@pytest.fixture
def asked(forged: Lab) -> Iterator[Hands]:
    """A server that asks above one datum, and a push of two."""
    forged.write({"raw/b.txt": "b\n"})
    forged.save()
    forged.push()
    forged.settings = "limits.ask_above = 1\n"
    made = Hands(forged)
    yield made
    made.close()


def _latest(hands: Hands) -> tuple[Run, RunStatus]:
    run = hands.site.runs.latest(1)[0]
    return run, run_status(run, hands.site.jobs.facts([j for p in run.pipelines for j in p.jobs]))


def _said(hands: Hands, lab: Lab) -> tuple[str, str]:
    return hands.site.forge.commit_statuses(lab.name, lab.git("rev-parse", "HEAD").strip())[
        "tea-runner/up"
    ]


@pytest.mark.long
def test_a_push_waits_for_an_approval_which_outlives_redis(forged: Lab, asked: Hands) -> None:
    """The status says so, and the run who approved; a wiped Redis forgets neither for long."""
    asked.plan()
    run, status = _latest(asked)
    assert ("pending", _SAID) == _said(asked, forged)
    assert ("waiting", True, "") == (
        status.state,
        approve_pause_resume.needs_approval(status),
        run.approved_by,
    )
    asked.site.redis.flushall()
    asked.reconciler.round()
    asked.plan()
    assert set() == set(asked.site.jobs.waiting()), "it waits still"

    approve_pause_resume.approve(asked.site, _latest(asked)[1], "ada")
    asked.plan()
    assert ("ada", 2) == (_latest(asked)[0].approved_by, len(asked.site.jobs.waiting()))
    asked.site.redis.flushall()
    asked.reconciler.round()
    asked.plan()
    assert ("ada", 2) == (_latest(asked)[0].approved_by, len(asked.site.jobs.waiting()))
    asked.work()
    asked.plan()
    assert "done" == _latest(asked)[1].state


def test_a_paused_branch_catches_up_after_the_end_of_the_pause(forged: Lab, hands: Hands) -> None:
    """Nothing begins before, not on a worker that has claimed a job, and not after Redis was lost."""
    hands.plan()
    site = hands.site
    (job,) = site.jobs.waiting()
    approve_pause_resume.pause(site, forged.name, "", "ada")
    hands.worker(job)
    assert {job} == set(site.jobs.waiting()), "the worker has given it back"
    hands.plan()
    assert set() == set(site.jobs.waiting())
    assert ("pending", f"1 to run; {forged.name} was paused by ada") == _said(hands, forged)

    site.redis.flushall()
    hands.reconciler.round()
    hands.plan()
    assert (set(), ["ada"]) == (
        set(site.jobs.waiting()),
        [order.by for order in approve_pause_resume.pauses(site.orders.all())],
    )
    requested = site.queues.length("plan")
    approve_pause_resume.resume(site, forged.name, "", "bob")
    assert requested + 1 == site.queues.length("plan")
    hands.plan()
    hands.work()
    hands.plan()
    assert "done" == _latest(hands)[1].state
