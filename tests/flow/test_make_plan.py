"""Plans: which datums run, are reused, stay or wait, and why."""

from __future__ import annotations

import pytest

from tests.twins.dataset import MemoryDataset
from tests.twins.lab import MemoryLab, failing, write_same
from tests.twins.plans import CHAIN, TWO, plan_of, reasons
from tests.twins.specs import spec


def test_datums_without_results_run(lab: MemoryLab) -> None:
    """A first push runs everything; nothing is written by a plan."""
    lab.push(TWO)

    assert plan_of(lab).state == "running"
    assert reasons(lab) == {"in:a": ("run", "new"), "in:b": ("run", "new")}
    assert lab.dataset.published == []
    assert lab.queue.jobs() == []


def test_nothing_runs_after_results_are_published(lab: MemoryLab) -> None:
    """The results commit is settled, also for a planner that remembers nothing."""
    lab.push(TWO)
    lab.settle()

    assert plan_of(lab).state == "settled"
    assert set(reasons(lab).values()) == {("current", "current")}


def test_only_a_changed_input_runs_again(lab: MemoryLab) -> None:
    """The other datum stays."""
    lab.push(TWO)
    lab.settle()
    lab.push({"raw/b": "three"})

    assert reasons(lab) == {"in:a": ("current", "current"), "in:b": ("run", "input-changed")}
    assert lab.settle()[1] == ["in:b"]


def test_going_back_reuses_the_former_result(lab: MemoryLab) -> None:
    """A key that an older manifest knows is not computed again, and its commit is named."""
    lab.push(TWO)
    lab.settle()
    first = lab.tip()
    lab.push({"raw/b": "three"})
    lab.settle()
    lab.push({"raw/b": "two"})

    (decision,) = plan_of(lab).moving
    assert (decision.action, decision.reason, decision.detail) == ("reuse", "known", first)
    assert plan_of(lab).state == "ready"
    assert lab.settle()[1] == []
    assert lab.files("copy") == lab.files("copy", commit=first)


def test_a_renamed_input_is_another_datum_with_another_key(lab: MemoryLab) -> None:
    """Commands see names: the new name runs, the outputs of the old one go."""
    lab.push(TWO)
    lab.settle()
    lab.push({"raw/b": None, "raw/c": "two"})

    assert reasons(lab) == {"in:a": ("current", "current"), "in:c": ("run", "new")}
    lab.settle()
    assert sorted(lab.files("copy")) == ["in-a.txt", "in-c.txt"]


def test_a_removed_input_removes_its_outputs_without_a_job(lab: MemoryLab) -> None:
    """The plan is ready at once."""
    lab.push(TWO)
    lab.settle()
    lab.push({"raw/b": None})

    assert plan_of(lab).state == "ready"
    assert lab.settle()[1] == []
    assert sorted(lab.files("copy")) == ["in-a.txt"]


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        ({"copy/spec.yml": spec("copy", cmd=["other"])}, "command-changed"),
        ({"copy/spec.yml": spec("copy", transform={"env": {"A": "1"}})}, "parameters-changed"),
        ({"copy/spec.yml": spec("copy", salt="2")}, "parameters-changed"),
        ({"code/tool.py": "print(1)"}, "code-changed"),
        ({"copy/tool.py": "print(1)"}, "code-changed"),
        (
            {"copy/spec.yml": spec("copy", transform={"image": "x@sha256:" + "a" * 64})},
            "environment-changed",
        ),
    ],
)
def test_what_all_datums_share_is_named_as_the_reason(
    lab: MemoryLab, edit: dict[str, str], reason: str
) -> None:
    """Command, code, environment and parameters are in every key."""
    lab.push(TWO)
    lab.settle()
    lab.push(edit)

    assert set(reasons(lab).values()) == {("run", reason)}


def test_a_missing_output_is_restored_from_the_known_result(lab: MemoryLab) -> None:
    """Somebody deleted a result from the tree: it is put back without computing."""
    lab.push(TWO)
    lab.settle()
    before = lab.files("copy")
    lab.push({"copy/in-a.txt": None})

    assert reasons(lab)["in:a"] == ("reuse", "known")
    assert lab.settle()[1] == []
    assert lab.files("copy") == before


def test_a_result_that_only_the_manifest_remembers_runs_again(lab: MemoryLab) -> None:
    """Its commit is gone from the forge, and its file from the tree."""
    lab.push(TWO)
    lab.settle()
    other = MemoryLab()
    files = {path: lab.text(path) for path in lab.entries()}
    other.push({**files, "copy/in-a.txt": None})

    assert reasons(other) == {
        "in:a": ("run", "result-missing"),
        "in:b": ("current", "current"),
    }


def test_a_pipeline_waits_for_the_one_that_it_reads(lab: MemoryLab) -> None:
    """It has no decisions until then."""
    lab.push(CHAIN)

    plan = plan_of(lab, "sum")
    assert (plan.state, plan.reason, plan.detail) == ("waiting", "upstream", "copy")
    assert plan.decisions == ()


def test_a_chain_is_settled_in_order(lab: MemoryLab) -> None:
    """The reader's datum appears with the results it reads."""
    lab.push(CHAIN)
    done, computed = lab.settle()

    assert computed == ["in:/", "in:a", "in:b"]
    assert [p.state for p in done.pipelines.values()] == ["settled", "settled"]
    assert lab.log() == ["[DATALAD RUNCMD] sum: in:/", "copy: 2 of 2 datums changed", "change"]


def test_equal_results_upstream_run_nothing_downstream(lab: MemoryLab) -> None:
    """Keys follow content, not commits: the reader stays as it is."""
    lab.push(CHAIN)
    lab.settle(command=write_same)
    lab.push({"raw/b": "three"})
    _, computed = lab.settle(command=write_same)

    assert computed == ["in:b"]


def test_a_failed_pipeline_blocks_its_readers(lab: MemoryLab) -> None:
    """The failed one keeps the sentence; the reader names it."""
    lab.push(CHAIN)
    lab.settle(command=failing("in:b"))

    assert plan_of(lab).state == "failed"
    assert plan_of(lab).decisions[1].detail == "the command ended with code 1"
    above = plan_of(lab, "sum")
    assert (above.state, above.reason, above.detail) == ("blocked", "blocked-by-failure", "copy")


def test_on_failure_publish_settles_what_succeeded(lab: MemoryLab) -> None:
    """The reader goes on with the results there are."""
    lab.push({**CHAIN, "copy/spec.yml": spec("copy", on_failure="publish")})
    done, _ = lab.settle(command=failing("in:b"))

    assert {name: p.state for name, p in done.pipelines.items()} == {
        "copy": "failed",
        "sum": "settled",
    }
    assert sorted(lab.files("copy")) == ["in-a.txt"]


def test_only_the_named_pipelines_are_planned(lab: MemoryLab) -> None:
    """A reader is planned with what its source has now."""
    lab.push(CHAIN)
    lab.advance(only=["copy"])

    assert [job.pipeline for job in lab.queue.jobs()] == ["copy", "copy"]
    assert [p.pipeline.name for p in lab.advancer(only=["sum"]).plan(lab.tip()).plan.pipelines] == [
        "sum"
    ]


def test_other_repositories_results_are_reused(lab: MemoryLab) -> None:
    """Where the operator trusts them; the plan names repository and commit."""
    lab.push(TWO)
    lab.settle()
    other = MemoryLab(MemoryDataset("lab/other", others=[lab.dataset]))
    other.push(TWO)

    details = {d.detail for d in plan_of(other).decisions}
    assert details == {f"lab/data@{lab.tip()}"}
    assert other.settle()[1] == []
    assert other.files("copy") == lab.files("copy")


def test_a_result_of_another_scope_is_not_used_where_the_operator_says_so() -> None:
    """With trust.reuse = trusted each branch reads trusted results and its own only."""
    lab = MemoryLab(MemoryDataset(trusted=["main"]), reuse_branches=False)
    lab.push(TWO)
    lab.settle()
    lab.push({"raw/c": "three"}, branch="feature", parent=lab.tip())
    assert lab.settle("feature")[1] == ["in:c"]
    lab.push({"raw/c": "three"})

    assert reasons(lab)["in:c"] == ("run", "new")
    assert reasons(lab)["in:a"] == ("current", "current")
    assert lab.settle()[1] == ["in:c"]


def test_a_result_of_another_branch_is_used() -> None:
    """What a branch has computed is known by key everywhere."""
    lab = MemoryLab(MemoryDataset(trusted=["main"]))
    lab.push(TWO)
    lab.settle()
    lab.push({"raw/c": "three"}, branch="feature", parent=lab.tip())
    assert lab.settle("feature")[1] == ["in:c"]
    lab.push({"raw/c": "three"})

    assert reasons(lab)["in:c"] == ("reuse", "known")
    assert lab.settle()[1] == []
    lab.push({"raw/c": "three", "raw/d": "4"}, branch="second", parent=lab.tip())
    assert lab.settle("second")[1] == ["in:d"]
