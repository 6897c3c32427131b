"""Results of branches that are not trusted are beside the branch, in ``tea/results/BRANCH``."""

from __future__ import annotations

import pytest

from tea_runner.core.git.branch_results_scope import scope_of
from tea_runner.core.git.existing_and_protected_branches import BranchProtection
from tests.twins.dataset import MemoryDataset
from tests.twins.files import Annexed, Content
from tests.twins.lab import MemoryLab, failing, output_of
from tests.twins.plans import CHAIN

BESIDE = "tea/results/feature"


@pytest.fixture
def branched() -> MemoryLab:
    """A settled ``main``, and a branch with one more file."""
    made = MemoryLab(MemoryDataset(trusted=("main",)))
    made.push(CHAIN)
    made.settle()
    made.push({"raw/new": "new"}, branch="feature", parent=made.tip())
    return made


def test_a_branch_is_left_alone(branched: MemoryLab) -> None:
    """Its results, also those of pipelines that read others, are upon its tip in another branch."""
    pushed = branched.tip("feature")
    done, ran = branched.settle("feature")

    assert len(ran) >= 2
    assert (pushed, BESIDE) == (branched.tip("feature"), done.results_branch)
    assert (pushed, branched.tip(BESIDE)) == (done.pushed, done.commit)
    assert (pushed, {"settled"}) == (done.origin, {p.state for p in done.pipelines.values()})
    (last,) = done.results
    of_copy = branched.dataset.objects.commit(last).parents[0]
    assert pushed == branched.dataset.objects.commit(of_copy).parents[0]
    assert "in-new.txt" in branched.files("copy", branch=BESIDE)
    assert "in-new.txt" not in branched.files("copy", branch="feature")


def test_nothing_runs_again_there(branched: MemoryLab) -> None:
    """A second plan finds the results; one of a later push takes them over and replaces the branch."""
    branched.settle("feature")
    before = branched.tip(BESIDE)
    done, ran = branched.settle("feature")
    assert ([], [], before) == (ran, done.results, branched.tip(BESIDE))

    pushed = branched.push({"README": "x"}, branch="feature")
    done, ran = branched.settle("feature")
    assert ([], pushed, BESIDE) == (ran, done.origin, done.results_branch)
    history = branched.log(BESIDE)
    assert "in-new.txt" in branched.files("copy", branch=BESIDE)
    assert 1 == sum(line.startswith("[DATALAD RUNCMD] copy: in:new") for line in history)


def test_a_merge_is_known(branched: MemoryLab) -> None:
    """The trusted branch takes over what the branch has computed, also when the branch is gone."""
    branched.settle("feature")
    merged = branched.push({"raw/new": "new"})
    del branched.dataset.forge["refs/heads/feature"]
    branched.dataset.refresh()
    assert branched.advancer().advance("feature") is None
    assert f"refs/heads/{BESIDE}" not in branched.dataset.forge

    done, ran = branched.settle()
    assert ([], merged) == (ran, done.origin)
    assert "in-new.txt" in branched.files("copy")


def test_what_others_push_there_does_not_count(branched: MemoryLab) -> None:
    """Neither as results nor as the commit to plan, whatever its message says; it is replaced."""
    pushed = branched.tip("feature")
    trailers = f"x\n\nTea-Pipeline: copy\nTea-Input: {pushed}\n"
    evil = {"raw/evil": "evil", "copy/in-new.txt": "forged"}
    branched.push(evil, branch=BESIDE, parent=pushed, message=trailers)
    done, ran = branched.settle("feature")
    assert "in:new" in ran
    assert not [label for label in ran if "evil" in label]
    assert (pushed, "settled") == (done.origin, done.pipelines["copy"].state)

    ours = branched.tip(BESIDE)
    branched.push(evil, branch=BESIDE, message=trailers)
    assert [] == branched.settle("feature")[1]
    assert ours == branched.tip(BESIDE)


def test_a_lost_lease_is_planned_again(branched: MemoryLab) -> None:
    """Somebody pushes to the results between a plan and its push: nothing of that is taken over."""
    branched.advance("feature")
    branched.work()
    evil = {"raw/evil": "evil"}
    branched.dataset.before_publish.append(lambda: branched.push(evil, branch=BESIDE))
    done, _ = branched.settle("feature")
    assert (branched.tip("feature"), BESIDE) == (done.origin, done.results_branch)
    assert "raw/evil" not in branched.entries(commit=branched.tip(BESIDE))


def test_a_branch_that_is_gone_is_not_made_again(branched: MemoryLab) -> None:
    """Nor are results beside it, when it is deleted between a plan and its push."""
    branched.advance("feature")
    branched.work()
    branched.dataset.before_publish.append(lambda: branched.dataset.forge.pop("refs/heads/feature"))
    branched.dataset.refresh()
    assert branched.advancer().advance("feature") is None
    assert not [ref for ref in branched.dataset.forge if "feature" in ref]


def test_a_branch_that_moved_is_planned_again(branched: MemoryLab) -> None:
    """A push between a plan and its results: those of the later commit are published."""
    branched.advance("feature")
    branched.work()
    branched.dataset.before_publish.append(lambda: branched.push({"README": "x"}, branch="feature"))
    done, _ = branched.settle("feature")
    assert (branched.tip("feature"), BESIDE) == (done.origin, done.results_branch)
    assert "README" in branched.entries(commit=branched.tip(BESIDE))


def test_a_branch_without_changes_needs_none(branched: MemoryLab) -> None:
    """Results beside it are deleted when the branch goes back to what is known on it."""
    branched.settle("feature")
    branched.push({"raw/new": None}, branch="feature")
    done, _ = branched.settle("feature")
    assert ("", False) == (done.results_branch, f"refs/heads/{BESIDE}" in branched.dataset.forge)


def test_failures_stay_those_of_the_branch(branched: MemoryLab) -> None:
    """A pipeline that fails publishes nothing."""
    done, _ = branched.settle("feature", failing("in:new"))
    assert ("failed", "") == (done.pipelines["copy"].state, done.results_branch)
    assert f"refs/heads/{BESIDE}" not in branched.dataset.forge


def test_the_branch_itself_takes_them_if_the_settings_say_so() -> None:
    """``results.place = "branch"``."""
    lab = MemoryLab(MemoryDataset(trusted=("main",), results_place="branch"))
    pushed = lab.push(CHAIN, branch="feature")
    done, _ = lab.settle("feature")
    assert (pushed, "") == (done.origin, done.results_branch)
    assert done.commit == lab.tip("feature") != pushed


def test_rows_beside_a_branch_have_its_scope() -> None:
    """A forge that protects them, or the branch, makes them no trusted ones: anybody's rows may be there."""
    assert scope_of("x", ["main"]) == scope_of("tea/results/x", ["main"]) != ""
    protected = ["main", "tea/results/x", "tea/results/*"]
    assert scope_of("x", ["main"]) == scope_of("tea/results/x", protected)
    rule = BranchProtection(default="main", protected=frozenset(["main", "tea/results/x"]))
    assert ("main",) == rule.trusted
    assert "" != scope_of("tea/results/main", ["main"])
    assert ("", True) == (
        scope_of("tea/results/x", ["*"]),
        scope_of("tea/results/pull/1", ["*"]) != "",
    )


def test_content_of_former_results_is_not_looked_for_again(branched: MemoryLab) -> None:
    """After a push that changes nothing of them, storages are not asked for each annexed result."""

    def annexed(label: str, key: str) -> dict[str, Content]:
        return {output_of(label): Annexed(f"made with {key}")}

    branched.settle("feature", annexed)
    asked: list[str] = []
    look = branched.dataset.content_locations
    branched.dataset.content_locations = lambda keys: asked.extend(keys) or look(keys)  # type: ignore[method-assign,func-returns-value]
    branched.push({"README": "x"}, branch="feature")
    done, ran = branched.settle("feature", annexed)
    assert ([], BESIDE, []) == (ran, done.results_branch, asked)

    # A merge publishes them on another branch: there it counts whether somebody has the content.
    branched.push({"raw/new": "new"})
    branched.settle(command=annexed)
    assert asked
