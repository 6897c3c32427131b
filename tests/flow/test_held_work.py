"""A plan that is paused, or too much without an approval, enqueues nothing, and goes on afterwards."""

from __future__ import annotations

from collections.abc import Sequence

from tea_runner.core.planning.approval_or_pause import Order
from tea_runner.core.planning.paused_or_unapproved_work import BranchOrders, WorkLimits
from tests.twins.lab import MemoryLab
from tests.twins.plans import CHAIN
from tests.twins.specs import spec

FOUR = {f"raw/{name}": name for name in "abcd"} | {"copy/spec.yml": spec("copy")}


def orders(*given: Order, most: int = 0) -> BranchOrders:
    """Of the branch main."""
    limits = WorkLimits(datums=most)
    return BranchOrders(repository="lab/data", branch="main", limits=limits, orders=given)


def approval(commit: str) -> Order:
    """By ada."""
    return Order(
        kind="approve", repository="lab/data", branch="main", commit=commit, by="ada", at=1.0
    )


def waiting(lab: MemoryLab) -> Sequence[str]:
    """Labels of the datums of waiting jobs."""
    return sorted(label for job in lab.queue.jobs() for label, _ in job.datums)


def test_too_much_work_waits_for_an_approval(lab: MemoryLab) -> None:
    """Nothing is enqueued before, everything after it."""
    pushed = lab.push(FOUR)
    done = lab.advance(orders=orders(most=3))
    copy = done.pipelines["copy"]
    assert ([], "approval-needed", "running", False) == (
        waiting(lab),
        copy.reason,
        copy.state,
        done.ended,
    )

    done = lab.advance(orders=orders(approval(pushed), most=3))
    assert ("ada", None, 4) == (done.approved_by, done.pipelines["copy"].hold, len(waiting(lab)))


def test_jobs_in_flight_are_no_new_work(lab: MemoryLab) -> None:
    """What is computed already, was approved before."""
    lab.push(FOUR)
    lab.advance()
    lab.push({"raw/e": "e"})
    lab.advance(orders=orders(most=1))
    assert ["in:a", "in:b", "in:c", "in:d", "in:e"] == waiting(lab)


def test_what_people_ask_to_compute_again_needs_no_approval(lab: MemoryLab) -> None:
    """They have decided already."""
    lab.push(FOUR)
    lab.settle()
    lab.recompute.add(["copy"], "1")
    lab.advance(recompute=True, orders=orders(most=1))
    assert 4 == len(waiting(lab))


def test_results_of_a_paused_pipeline_are_published(lab: MemoryLab) -> None:
    """Jobs that run go on, those that wait are taken back, and after the end of the pause they follow."""
    pause = Order(kind="pause", repository="lab/data", pipeline="copy", by="ada", at=1.0)
    lab.push(FOUR)
    lab.advance()
    running = lab.queue.jobs()[0]
    assert lab.queue.claim(running.id) is not None
    done = lab.advance(recompute=True, orders=orders(pause))
    assert ([], [running.id], "paused") == (
        waiting(lab),
        done.pipelines["copy"].jobs,
        done.pipelines["copy"].reason,
    )
    assert "running" == lab.queue.state(running.id)

    done = lab.advance(recompute=True, orders=orders())
    assert 3 == len(waiting(lab))
    assert None is done.pipelines["copy"].hold


def test_a_pipeline_after_a_paused_one_waits_for_it(lab: MemoryLab) -> None:
    """As for one that runs."""
    lab.push(CHAIN)
    first = next(iter(lab.advance(orders=orders()).pipelines))
    pause = Order(kind="pause", repository="lab/data", pipeline=first, by="ada", at=1.0)
    done = lab.advance(recompute=True, orders=orders(pause))
    assert [first] == [name for name, each in done.pipelines.items() if each.hold is not None]
    assert "waiting" in {each.state for each in done.pipelines.values()}
