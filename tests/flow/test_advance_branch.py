"""Advancing a branch: publish what is known, ask for what is missing, whatever happens meanwhile."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tea_runner.core.errors import OutsideError, QueueError
from tea_runner.core.planning.job import Throughput
from tests.twins.dataset import MemoryDataset
from tests.twins.files import Annexed, Content
from tests.twins.lab import InputMissing, MemoryLab, failing, output_of
from tests.twins.plans import CHAIN, TWO, reasons
from tests.twins.specs import spec


def annexed(label: str, key: str) -> dict[str, Content]:
    """Write one annexed file."""
    return {output_of(label): Annexed(f"made with {key}")}


def test_a_branch_that_does_not_exist_has_no_result(lab: MemoryLab) -> None:
    """Its waiting jobs are cancelled: nobody else wants them."""
    lab.push(TWO)
    lab.advance(recompute=True)
    (first, *_) = lab.queue.jobs()
    del lab.dataset.forge["refs/heads/main"]
    lab.dataset.refresh()

    assert lab.advancer().advance("main") is None
    assert lab.queue.state(first.id) == "waiting"
    assert lab.advancer(recompute=True).advance("main") is None
    assert lab.queue.state(first.id) == "cancelled"


def test_jobs_are_asked_for_once(lab: MemoryLab) -> None:
    """A second call finds them in flight and subscribes to their end."""
    lab.push(TWO)
    first = lab.advance()
    second = lab.advance()

    assert len(lab.queue.jobs()) == 2
    assert sorted(first.pipelines["copy"].jobs) == sorted(second.pipelines["copy"].jobs)
    assert not first.ended
    assert first.pipelines["copy"].counts == {"run": 2}
    assert [d.label for d in first.pipelines["copy"].moving] == ["in:a", "in:b"]
    assert first.pipelines["copy"].decisions == first.pipelines["copy"].moving


def test_a_job_says_what_a_worker_needs(lab: MemoryLab) -> None:
    """Repository, branch, commit, pipeline, and the datums with their keys."""
    tip = lab.push(TWO)
    lab.advance()
    (job, _) = lab.queue.jobs()

    assert (job.repository, job.branch, job.commit) == ("lab/data", "main", tip)
    assert (job.pipeline, job.scope, job.salt, job.pins) == ("copy", "", "", ())
    assert job.datums[0] in [(d.label, d.key) for d in lab.plan().plan.pipelines[0].decisions]


def test_a_branch_is_announced_when_its_last_job_ended(lab: MemoryLab) -> None:
    """Not after the first of two."""
    lab.push(TWO)
    lab.advance()
    first, second = lab.queue.jobs()
    lab.do(first)
    assert lab.broker.plan_queue == []
    lab.do(second)

    assert lab.broker.plan_queue == [("lab/data", "main")]


def test_a_chain_settles_as_far_as_results_are_known(lab: MemoryLab) -> None:
    """One call publishes several pipelines, each upon the last."""
    lab.push(CHAIN)
    lab.settle()
    lab.push({"raw/b": "three"})
    lab.settle()
    lab.push({"raw/b": "two"})
    done = lab.advance()

    assert done.ended
    assert len(done.results) == 2
    assert {name: dict(p.counts) for name, p in done.pipelines.items()} == {
        "copy": {"reused": 2},
        "sum": {"reused": 1},
    }
    assert lab.tip() == done.results[-1]


def test_the_result_tells_done_from_reused(lab: MemoryLab) -> None:
    """Computed for this push, or known before; they add up to all datums."""
    lab.push(TWO)
    lab.settle()
    pushed = lab.push({"raw/b": "three"})
    done, _ = lab.settle()

    assert done.pipelines["copy"].counts == {"done": 1, "reused": 1}
    assert done.ended
    assert (done.commit, done.origin) == (lab.tip(), pushed)


def test_refs_of_settled_jobs_are_deleted(lab: MemoryLab) -> None:
    """Also those that a planner left behind which died after its push."""
    lab.push(TWO)
    lab.advance()
    lab.work()
    refs = lab.job_refs()
    kept = {ref: lab.dataset.forge[ref] for ref in refs}
    assert len(refs) == 2
    lab.advance()
    assert lab.job_refs() == []
    lab.dataset.forge.update(kept)
    lab.advance()

    assert lab.job_refs() == []


def test_a_ref_stays_until_all_of_its_datums_are_settled(lab: MemoryLab) -> None:
    """A job's results may be for two pipelines, or for a datum that comes back."""
    lab.push({**TWO, "copy/spec.yml": spec("copy", datum_set_spec={"number": 2})})
    lab.advance()
    lab.work()
    lab.push({"raw/b": None})
    lab.advance()

    assert len(lab.job_refs()) == 1
    lab.push({"raw/b": "two"})
    done = lab.advance()
    assert done.ended
    assert lab.job_refs() == []


# -- what moves meanwhile --------------------------------------------------------------------


def test_a_push_meanwhile_is_planned_instead(lab: MemoryLab) -> None:
    """The compare-and-swap fails; the results go upon the newer commit, in the same call."""
    lab.push(TWO)
    lab.advance()
    lab.work()
    lab.dataset.before_publish.append(lambda: lab.push({"README": "words"}))
    done = lab.advance()

    assert lab.log() == ["copy: 2 of 2 datums changed", "change", "change"]
    assert done.pipelines["copy"].state == "settled"
    assert done.commit == lab.tip()


def test_a_push_meanwhile_that_changes_an_input_supersedes_its_result(lab: MemoryLab) -> None:
    """What was computed for the old content is not published for the new."""
    lab.push(TWO)
    lab.advance()
    lab.work()
    lab.dataset.before_publish.append(lambda: lab.push({"raw/b": "three"}))
    done = lab.advance()

    assert done.pipelines["copy"].counts == {"reuse": 1, "run": 1}
    assert lab.log() == ["change", "change"]
    lab.settle()
    assert lab.log() == ["copy: 2 of 2 datums changed", "change", "change"]


def test_a_branch_that_is_deleted_meanwhile_ends_the_call(lab: MemoryLab) -> None:
    """There is nothing left to advance."""
    lab.push(TWO)
    lab.advance()
    lab.work()
    lab.dataset.before_publish.append(lambda: lab.dataset.forge.pop("refs/heads/main"))
    lab.dataset.refresh()

    assert lab.advancer().advance("main") is None


def test_a_newer_push_cancels_jobs_that_it_makes_needless(lab: MemoryLab) -> None:
    """Jobs that it still wants go on."""
    lab.push(TWO)
    lab.advance(recompute=True)
    jobs = {job.datums[0][0]: job.id for job in lab.queue.jobs()}
    lab.push({"raw/b": "three"})
    lab.advance(recompute=True)

    assert lab.queue.state(jobs["in:a"]) == "waiting"
    assert lab.queue.state(jobs["in:b"]) == "cancelled"
    assert len(lab.queue.jobs()) == 2


def test_another_branch_keeps_a_job_that_this_one_no_longer_needs(lab: MemoryLab) -> None:
    """Both wait for the same key, and both are announced."""
    lab.push(TWO)
    lab.advance()
    lab.push({}, branch="other", parent=lab.tip())
    lab.advance("other")
    lab.push({"raw/b": "three"})
    lab.advance(recompute=True)

    assert len(lab.queue.jobs()) == 3
    lab.work()
    assert sorted(set(lab.broker.plan_queue)) == [("lab/data", "main"), ("lab/data", "other")]


@pytest.mark.parametrize("broken", ["dataset", "queue"])
def test_a_failure_of_the_world_is_raised(lab: MemoryLab, broken: str) -> None:
    """The caller plans the branch again later."""
    lab.push(TWO)
    lab.advance()
    lab.work()
    lab.push({"raw/c": "new"})
    lab.dataset.refresh()
    advance: Callable[[str], object] = lab.advancer().advance
    if broken == "queue":
        lab.broker.reachable = False
        with pytest.raises(QueueError):
            advance("main")
    else:
        lab.work()
        lab.push({"raw/c": None})
        lab.dataset.refresh()
        lab.dataset.reachable = False
        with pytest.raises(OutsideError, match="the forge does not answer"):
            advance("main")


# -- how jobs are cut ------------------------------------------------------------------------


def many(count: int, **more: object) -> dict[str, Content]:
    """A pipeline with so many datums of ten bytes each."""
    files: dict[str, Content] = {f"raw/{n:03}": f"{n:010}" for n in range(count)}
    return {**files, "copy/spec.yml": spec("copy", **more)}


@pytest.mark.parametrize(
    ("more", "sizes"),
    [
        ({}, [1] * 6),
        ({"datum_set_spec": {"number": 4}}, [4, 2]),
        ({"datum_set_spec": {"size_bytes": 25}}, [3, 3]),
        ({"parallelism_spec": {"constant": 2}}, [3, 3]),
        ({"parallelism_spec": {"constant": 1}, "datum_set_spec": {"size_bytes": 1}}, [6]),
    ],
)
def test_jobs_are_cut_as_the_pipeline_says(
    lab: MemoryLab, more: dict[str, object], sizes: list[int]
) -> None:
    """``datum_set_spec`` and ``parallelism_spec``; single datums by default."""
    lab.push(many(6, **more))
    lab.advance()

    assert sorted((len(job.datums) for job in lab.queue.jobs()), reverse=True) == sizes


def test_a_known_pace_makes_larger_jobs(lab: MemoryLab) -> None:
    """Quick datums are put together."""
    lab.push(many(6))
    lab.advance(pace=Throughput(0.01, 2))

    assert [3, 3] == [len(job.datums) for job in lab.queue.jobs()]


def test_parallelism_counts_jobs_in_flight(lab: MemoryLab) -> None:
    """Those of an earlier push, too: what finds no room is asked for when one ends."""
    lab.push(many(1, parallelism_spec={"constant": 1}))
    lab.advance()
    lab.push({"raw/new": "1"})
    lab.advance()
    assert len(lab.queue.jobs()) == 1
    lab.work()
    lab.advance()

    assert [job.datums[0][0] for job in lab.queue.jobs()] == ["in:new"]


@pytest.mark.parametrize(("trusted", "expected"), [("main", {4}), ("release", {1})])
def test_the_priority_of_a_pipeline_counts_where_it_is_trusted(
    trusted: str, expected: set[int]
) -> None:
    """Whoever may propose changes only does not precede others."""
    lab = MemoryLab(MemoryDataset(trusted=(trusted,)))
    lab.push(many(2, priority=4))
    lab.advance()
    assert expected == {lab.queue.priorities[job.id] for job in lab.queue.jobs()}


# -- failures --------------------------------------------------------------------------------


def test_a_datum_that_failed_is_not_tried_again(lab: MemoryLab) -> None:
    """Its sentence is in the result; what succeeded waits at its ref."""
    lab.push(TWO)
    done, _ = lab.settle(command=failing("in:b", sentence="out of cheese"))

    assert done.pipelines["copy"].state == "failed"
    assert done.pipelines["copy"].detail == "out of cheese"
    assert done.pipelines["copy"].counts == {"reuse": 1, "failed": 1}
    assert done.ended
    assert len(lab.job_refs()) == 1
    assert lab.settle()[1] == []
    lab.queue.forget_failures("lab/data", [d.key for d in done.pipelines["copy"].moving])
    assert lab.settle()[1] == ["in:b"]


def test_on_failure_publish_counts_the_failed(lab: MemoryLab) -> None:
    """The rest is published; the numbers add up to all datums."""
    lab.push({**TWO, "copy/spec.yml": spec("copy", on_failure="publish")})
    lab.advance()
    lab.work(failing("in:b"))
    done = lab.advance()

    assert lab.files("copy").keys() == {"in-a.txt"}
    assert done.pipelines["copy"].counts == {"current": 1, "failed": 1}
    assert done.pipelines["copy"].state == "failed"
    assert done.results == [lab.tip()]


def test_missing_content_is_waited_for_until_git_annex_moves(lab: MemoryLab) -> None:
    """The same commit and the same location log: waiting. Anything newer: another try."""

    def command(label: str, key: str) -> dict[str, Content]:
        raise InputMissing(f"{label} {key[:3]} is in no storage")

    lab.push(TWO)
    lab.dataset.forge["refs/heads/git-annex"] = lab.push({"x": "1"}, branch="log")
    lab.advance()
    lab.work(command)
    done = lab.advance()
    assert done.pipelines["copy"].state == "running"
    assert "is in no storage" in done.pipelines["copy"].detail
    assert done.pipelines["copy"].counts == {"wait": 2}
    assert set(reasons(lab).values()) == {("wait", "content-missing")}
    assert done.missing_at == {lab.dataset.annex_tip()}
    assert lab.queue.jobs() == []
    lab.dataset.forge["refs/heads/git-annex"] = lab.push({"x": "2"}, branch="log")

    assert lab.settle()[1] == ["in:a", "in:b"]


# -- several repositories --------------------------------------------------------------------


def test_a_key_in_flight_in_a_trusted_repository_is_waited_for() -> None:
    """It is not computed twice; this branch is announced when that job ends."""
    lab = MemoryLab()
    lab.push(TWO)
    lab.advance()
    other = MemoryLab(MemoryDataset("lab/other", others=[lab.dataset]))
    other.queue = lab.queue
    other.push(TWO)
    done = other.advance(recompute=True)

    assert len(lab.queue.jobs()) == 2
    assert done.pipelines["copy"].state == "running"
    lab.work()
    assert sorted(lab.broker.plan_queue) == [("lab/data", "main"), ("lab/other", "main")]
    lab.advance()
    assert other.settle()[1] == []
