"""Known results that somebody asks for again: the same bytes, others, or a failure."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.twins.dataset import MemoryDataset
from tests.twins.files import Annexed, Content, Executable, Symlink
from tests.twins.lab import MemoryLab, failing, output_of
from tests.twins.plans import CHAIN, TWO, plan_of, reasons


@pytest.fixture
def settled(lab: MemoryLab) -> MemoryLab:
    """Two datums with published results."""
    lab.push(TWO)
    lab.settle(recompute=True)
    return lab


def other(label: str, _: str) -> dict[str, Content]:
    """Other bytes than before."""
    return {output_of(label): "other bytes\n"}


def outcomes(lab: MemoryLab) -> list[tuple[str, str, str]]:
    """Datum, outcome and detail of each verdict."""
    return [(v.datum, v.outcome, v.detail) for v in lab.recompute.verdicts]


def test_the_same_bytes_change_nothing(settled: MemoryLab) -> None:
    """No commit; a verdict for each datum; the request is done."""
    tip = settled.tip()
    settled.recompute.add(["copy"], "r1")
    done, computed = settled.settle(recompute=True)

    assert computed == ["in:a", "in:b"]
    assert settled.tip() == tip
    assert outcomes(settled) == [("in:a", "ok", ""), ("in:b", "ok", "")]
    assert settled.recompute.pending() == {}
    assert settled.job_refs() == []
    assert done.ended


def test_one_key_is_computed_alone(settled: MemoryLab) -> None:
    """The job carries the request's id, so that it is another job than the first."""
    settled.recompute.add([plan_of(settled).decisions[0].key], "r1")
    settled.advance(recompute=True)
    (job,) = settled.queue.jobs()

    assert job.salt == "r1"
    assert [label for label, _ in job.datums] == ["in:a"]
    assert settled.settle(recompute=True)[1] == ["in:a"]


def test_other_bytes_replace_the_result(settled: MemoryLab) -> None:
    """In a commit that says so, a second later; the verdict names the paths."""
    settled.recompute.add([plan_of(settled).decisions[0].key], "r1")
    before = settled.dataset.objects.commit(settled.tip()).committed
    done = settled.advance(recompute=True)
    settled.work(other)
    done = settled.advance(recompute=True)

    assert settled.files("copy")["in-a.txt"] == "other bytes\n"
    assert settled.trailers()["Tea-Recompute"] == "1"
    assert settled.dataset.objects.commit(settled.tip()).committed == before + 1
    assert outcomes(settled) == [("in:a", "differs", "copy/in-a.txt")]
    assert done.verdicts == settled.recompute.verdicts
    assert done.pipelines["copy"].detail == "not reproducible: other bytes for in:a"


def test_a_replaced_result_is_the_known_one_from_then_on(settled: MemoryLab) -> None:
    """Going back and forth gives the newer bytes."""
    settled.recompute.add(["copy"], "r1")
    settled.settle(command=other, recompute=True)
    settled.push({"raw/a": "x"})
    settled.settle(recompute=True)
    settled.push({"raw/a": "one"})
    _, computed = settled.settle(recompute=True)

    assert computed == []
    assert settled.files("copy")["in-a.txt"] == "other bytes\n"


def test_other_bytes_run_the_readers(lab: MemoryLab) -> None:
    """Their input has other content."""
    lab.push(CHAIN)
    lab.settle(recompute=True)
    lab.recompute.add(["copy"], "r1")
    _, computed = lab.settle(command=other, recompute=True)

    assert computed == ["in:/", "in:a", "in:b"]


def test_a_failure_leaves_the_known_result(settled: MemoryLab) -> None:
    """The verdict has the sentence; the request is done."""
    settled.recompute.add(["copy"], "r1")
    tip = settled.tip()
    settled.settle(command=failing("in:a", "in:b", sentence="no"), recompute=True)

    assert settled.tip() == tip
    assert outcomes(settled) == [("in:a", "failed", "no"), ("in:b", "failed", "no")]
    assert set(reasons(settled).values()) == {("current", "current")}
    assert settled.recompute.pending() == {}


def test_a_datum_without_a_result_has_no_verdict(lab: MemoryLab) -> None:
    """There is nothing to compare with; the request makes it run like any other."""
    lab.push(TWO)
    lab.recompute.add(["copy"], "r1")
    _, computed = lab.settle(recompute=True)

    assert computed == ["in:a", "in:b"]
    assert outcomes(lab) == []
    assert sorted(lab.files("copy")) == ["in-a.txt", "in-b.txt"]


@pytest.mark.parametrize(
    ("before", "after", "outcome"),
    [
        ("text", Annexed("text"), "ok"),
        (Annexed("text"), "text", "ok"),
        (Annexed("text"), Annexed("text", backend="MD5"), "ok"),
        (Annexed("text"), Annexed("other"), "differs"),
        ("text", Executable("text"), "differs"),
        (Symlink("x"), Symlink("x"), "ok"),
        (Symlink("x"), Symlink("y"), "differs"),
        ("text", Symlink("x"), "differs"),
        (Symlink("x"), "text", "differs"),
        ("x" * 40_000, "x" * 40_000, "ok"),
        ("x" * 40_000, "y" * 40_000, "differs"),
    ],
)
def test_bytes_are_compared_in_whatever_form_they_are_kept(
    lab: MemoryLab, before: Content, after: Content, outcome: str
) -> None:
    """By content and executable bit, not by name or key."""
    lab.push({".gitattributes": "* annex.backend=MD5E\n", "raw/a": "1", **_spec()})
    lab.settle(command=lambda *_: {"out": before}, recompute=True)
    lab.recompute.add(["copy"], "r1")
    lab.settle(command=lambda *_: {"out": after}, recompute=True)

    assert [each[1] for each in outcomes(lab)] == [outcome]


def _spec() -> dict[str, Content]:
    return {"copy/spec.yml": TWO["copy/spec.yml"]}


def test_another_path_is_other_bytes(settled: MemoryLab) -> None:
    """An output that is new, and one that is missing."""
    settled.recompute.add([plan_of(settled).decisions[0].key], "r1")
    settled.settle(command=lambda *_: {"else": "x"}, recompute=True)

    assert outcomes(settled) == [("in:a", "differs", "copy/else, copy/in-a.txt")]


def test_jobs_are_enqueued_under_a_lock_where_repositories_share_results() -> None:
    """One key is not begun in two repositories at once."""
    first = MemoryLab()
    lab = MemoryLab(MemoryDataset("lab/other", others=[first.dataset]))
    lab.push(TWO)
    locked = []
    enqueue = lab.queue.enqueue
    lab.queue.enqueue = lambda job, **_: (locked.append(lab.recompute.locked), enqueue(job))[1]  # type: ignore[method-assign]
    lab.advance(recompute=True)

    assert locked == [True, True]


def test_a_request_that_comes_after_the_plan_is_not_lost(
    settled: MemoryLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call completes the requests that it planned for, and no later ones."""
    pending = settled.recompute.pending

    def pending_then_add() -> Mapping[str, str]:
        found = pending()
        settled.recompute.add(["copy"], "r1")
        return found

    monkeypatch.setattr(settled.recompute, "pending", pending_then_add)
    settled.advance(recompute=True)
    monkeypatch.undo()

    assert settled.recompute.pending() == {"copy": "r1"}
    assert settled.settle(recompute=True)[1] == ["in:a", "in:b"]
