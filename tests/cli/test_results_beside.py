"""On a laptop, results of branches other than the default one are beside the branch as well."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.dataset import Dataset

BESIDE = "tea/results/fix"


@pytest.fixture
def fix(settled: Dataset) -> Dataset:
    """A settled ``main``, and a branch ``fix`` with a corrected file, which is checked out."""
    settled.do("git", "switch", "-q", "-c", "fix")
    settled.write({"raw/a.txt": "corrected\n"})
    settled.do("git", "commit", "-qam", "correct a")
    return settled


def head(dataset: Dataset, name: str = "HEAD") -> str:
    """The commit of a name."""
    return dataset.do("git", "rev-parse", name)


def beside(dataset: Dataset, branch: str = "fix") -> str:
    """The commit with the results beside a branch; empty without one."""
    ref = f"refs/heads/tea/results/{branch}"
    return dataset.do("git", "for-each-ref", "--format=%(objectname)", ref)


def clone_of(dataset: Dataset, path: Path) -> Dataset:
    """A clone, as a person makes one."""
    dataset.do("git", "clone", "-q", str(dataset.path), str(path))
    return Dataset(path)


def test_results_go_beside_the_branch(fix: Dataset) -> None:
    """HEAD and the folder stay; the other verbs read the results from there."""
    before = head(fix)
    done = fix.tea("run", "-y")
    assert (0, True) == (done.code, f"in the branch {BESIDE}" in done.err), done
    assert (before, before) == (head(fix), head(fix, f"{BESIDE}~2"))
    assert "CORRECTED" in fix.do("git", "show", f"{BESIDE}:shout/a.txt")
    assert "" == fix.do("git", "status", "--porcelain")

    assert (0, "Nothing to do.") == ((again := fix.tea("run", "-y")).code, again.lines[-1])
    assert 0 == fix.tea("plan", "--exit-code").code
    said = fix.tea("status", "--exit-code")
    assert (0, True) == (said.code, f"results of this branch are in {BESIDE}" in said.err), said
    assert "corrected" not in fix.tea("why", "shout/a.txt").err
    assert head(fix, BESIDE)[:12] in fix.tea("lineage", "table/table.txt").out


@pytest.mark.long
def test_a_merge_runs_nothing(fix: Dataset) -> None:
    """After the merge the default branch takes the results over, and commits them to itself."""
    fix.tea("run", "-y")
    fix.do("git", "switch", "-q", "main")
    fix.do("git", "merge", "-q", "--no-ff", "-m", "merge", "fix")
    planned = fix.tea("plan", "--json").json
    actions = [d["action"] for p in planned["pipelines"] for d in p["datums"]]
    assert "run" not in actions
    before = head(fix)
    assert 0 == fix.tea("run", "-y").code
    assert (before, "CORRECTED\n") == (head(fix, "HEAD~2"), (fix.path / "shout/a.txt").read_text())


@pytest.mark.long
def test_results_without_a_commit_leave_those_beside_the_branch(fix: Dataset) -> None:
    """``run --unsaved`` puts results into the folder, and touches no branch."""
    fix.tea("run", "-y")
    there = beside(fix)
    fix.write({"raw/b.txt": "not saved\n"})
    assert 0 == fix.tea("run", "-y", "--unsaved").code
    assert "NOT SAVED\n" == (fix.path / "shout/b.txt").read_text()
    assert there == beside(fix)


@pytest.mark.long
def test_here_means_the_branch(fix: Dataset) -> None:
    """``--here`` and ``results.place`` commit to the branch that is checked out."""
    before = head(fix)
    assert 0 == fix.tea("run", "-y", "--here").code
    assert (before, "") == (head(fix, "HEAD~2"), beside(fix))
    fix.write({"raw/b.txt": "another\n"})
    fix.do("git", "commit", "-qam", "correct b")
    before = head(fix)
    assert 0 == fix.tea("-c", "results.place=branch", "run", "-y").code
    assert (before, "") == (head(fix, "HEAD~2"), beside(fix))


@pytest.mark.long
def test_a_branch_with_results_is_no_place_to_run(fix: Dataset) -> None:
    """The message says where to go; looking is possible."""
    fix.tea("run", "-y")
    fix.do("git", "switch", "-q", BESIDE)
    done = fix.tea("run", "-y")
    assert (1, True) == (done.code, "git switch fix" in done.err), done
    assert 0 == fix.tea("status", "--exit-code").code


@pytest.mark.long
def test_a_branch_that_is_in_the_way_is_named(fix: Dataset) -> None:
    """git cannot have both ``tea`` and ``tea/results/fix``."""
    fix.do("git", "branch", "tea")
    done = fix.tea("run", "-y")
    assert (1, True) == (done.code, "git branch -m tea tea-old" in done.out), done
    fix.do("git", "branch", "-m", "tea", "tea-old")
    assert 0 == fix.tea("run", "-y").code
    assert beside(fix)


@pytest.mark.long
def test_the_only_branch_takes_its_own(dataset: Dataset) -> None:
    """Whatever its name is, and without a remote: nobody has to merge anything."""
    dataset.do("git", "branch", "-m", "trunk")
    before = head(dataset)
    assert 0 == dataset.tea("run", "-y").code
    assert before == head(dataset, "HEAD~2")


@pytest.mark.long
def test_the_remote_says_what_the_default_branch_is(settled: Dataset, tmp_path: Path) -> None:
    """A branch ``main`` of a clone whose remote has another default branch is one as any other."""
    settled.do("git", "branch", "stable")
    settled.do("git", "symbolic-ref", "HEAD", "refs/heads/stable")
    copy = clone_of(settled, tmp_path / "clone")
    for branch, expected in (("stable", False), ("main", True)):
        copy.do("git", "switch", "-q", branch)
        copy.write({"raw/a.txt": f"of {branch}\n"})
        copy.do("git", "commit", "-qam", "change")
        assert 0 == copy.tea("run", "-y").code
        assert expected == bool(beside(copy, branch))


@pytest.mark.long
def test_results_of_the_server_are_shown(fix: Dataset, tmp_path: Path) -> None:
    """What was fetched from ``tea/results/BRANCH`` of the remote is what looking verbs show."""
    fix.tea("run", "-y")
    copy = clone_of(fix, tmp_path / "clone")
    copy.do("git", "remote", "set-head", "origin", "main")
    done = copy.tea("status", "--exit-code")
    assert (0, True) == (done.code, f"are in origin/{BESIDE}" in done.err), done

    planned = copy.tea("run", "-n", "--json").json
    actions = [d["action"] for p in planned["pipelines"] for d in p["datums"]]
    assert "run" not in actions, "it is known here, too"
