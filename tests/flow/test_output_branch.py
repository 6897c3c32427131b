"""``output_branch`` of all pipelines: results are upon the pushed commit, in the branch that they name."""

from __future__ import annotations

import pytest

from tests.twins.dataset import MemoryDataset
from tests.twins.lab import MemoryLab, failing
from tests.twins.specs import pfs, spec

OUT = "published"
INTERNAL = "tea/results/main"


def files(copy: str = OUT, total: str = OUT) -> dict[str, str]:
    """Two pipelines, one of which reads the other, with their output branches."""
    return {
        "raw/a": "one",
        "copy/spec.yml": spec("copy", output_branch=copy),
        "sum/spec.yml": spec("sum", pfs("copy", "/"), output_branch=total),
    }


@pytest.fixture
def lab() -> MemoryLab:
    """``main`` is trusted, and its pipelines name one branch."""
    made = MemoryLab(MemoryDataset(trusted=("main",)))
    made.push(files())
    return made


def test_results_are_in_the_branch_that_the_pipelines_name(lab: MemoryLab) -> None:
    """The pushed branch stays as it is; that of the results has all of them upon the pushed commit."""
    pushed = lab.tip()
    done, ran = lab.settle()

    assert 2 == len(ran)
    assert (pushed, OUT, pushed) == (lab.tip(), done.results_branch, done.origin)
    assert "in-a.txt" in lab.files("copy", branch=OUT)
    assert ["[DATALAD RUNCMD] sum", "[DATALAD RUNCMD] copy", "change"] == [
        line.partition(":")[0] for line in lab.log(OUT)
    ]


def test_the_branch_follows_each_push(lab: MemoryLab) -> None:
    """A later push replaces its results, and nothing known runs again."""
    lab.settle()
    lab.push({"raw/b": "two"})
    done, ran = lab.settle()
    assert ["in:/", "in:b"] == ran
    assert {"in-a.txt", "in-b.txt"} <= set(lab.files("copy", branch=OUT))
    assert done.origin == lab.tip()

    before = lab.tip(OUT)
    assert ([], before) == (lab.settle()[1], lab.tip(OUT))


def test_the_branch_has_whole_results_only(lab: MemoryLab) -> None:
    """While something fails, it stays where it was."""
    lab.settle()
    before = lab.tip(OUT)
    lab.push({"raw/b": "two"})
    lab.settle(command=failing("in:b"))
    assert before == lab.tip(OUT)


def test_nothing_runs_for_the_branch_of_results(lab: MemoryLab) -> None:
    """It is planned as any other: all of it is known."""
    lab.settle()
    before = lab.tip(OUT)
    done, ran = lab.settle(OUT)
    assert ([], [], before) == (ran, done.results, lab.tip(OUT))


@pytest.mark.parametrize("place", ["branch", "pull-request"])
def test_the_place_that_the_operator_chose_comes_first(place: str) -> None:
    """Results on the branch itself, or in a pull request, go nowhere else."""
    made = MemoryLab(MemoryDataset(trusted=("main",), results_place=place))  # type: ignore[arg-type]
    made.push(files())
    made.settle()
    assert f"refs/heads/{OUT}" not in made.dataset.forge


@pytest.mark.parametrize(
    ("copy", "total"), [("master", "master"), ("main", "main"), (OUT, "master"), (OUT, "other")]
)
def test_other_names_change_nothing(copy: str, total: str) -> None:
    """``master``, as Pachyderm's files have it, is the pushed branch; different names are told of."""
    made = MemoryLab(MemoryDataset(trusted=("main",)))
    made.push(files(copy, total))
    done, _ = made.settle()
    assert ("", True) == (done.results_branch, "in-a.txt" in made.files("copy"))
    assert {"refs/heads/main"} == {ref for ref in made.dataset.forge if "heads" in ref}
    told = [p.message for p in made.view().pipelines.problems if p.key == "output_branch"]
    assert bool(told) == (copy == OUT)


def test_branches_that_are_not_trusted_keep_their_place(lab: MemoryLab) -> None:
    """Whoever may push to some branch moves no branch of results."""
    lab.settle()
    before = lab.tip(OUT)
    lab.push({"raw/new": "new"}, branch="feature", parent=lab.tip())
    done, _ = lab.settle("feature")
    assert ("tea/results/feature", before) == (done.results_branch, lab.tip(OUT))


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_branch_of_somebody_is_never_replaced(lab: MemoryLab, when: str) -> None:
    """What was pushed there stays, and the run says what to do; the results are known."""
    if when == "after":
        lab.settle()
    theirs = lab.push({"notes": "mine"}, branch=OUT, parent=lab.tip())
    lab.push({"raw/b": "two"})
    done, _ = lab.settle()
    assert theirs == lab.tip(OUT)
    assert {"failed"} == {each.state for each in done.pipelines.values()}
    assert all(OUT in each.detail for each in done.pipelines.values())

    del lab.dataset.forge[f"refs/heads/{OUT}"]
    done, ran = lab.settle()
    assert ([], {"settled"}) == (ran, {each.state for each in done.pipelines.values()})
    assert "in-b.txt" in lab.files("copy", branch=OUT)


def test_two_branches_do_not_share_one() -> None:
    """The first has it; the second says so."""
    made = MemoryLab(MemoryDataset(trusted=("main", "release")))
    made.push(files())
    made.settle()
    before = made.tip(OUT)
    made.push({"raw/b": "two"}, branch="release", parent=made.tip())
    done, _ = made.settle("release")
    assert (before, {"failed"}) == (made.tip(OUT), {p.state for p in done.pipelines.values()})


def test_a_merge_of_the_results_is_followed(lab: MemoryLab) -> None:
    """Once the branch has its results itself, that of the results is the same commit, and is moved again."""
    lab.settle()
    lab.dataset.forge["refs/heads/main"] = lab.tip(OUT)
    done, ran = lab.settle()
    assert ([], lab.tip(), "settled") == (ran, lab.tip(OUT), done.pipelines["copy"].state)

    lab.push({"raw/b": "two"})
    lab.settle()
    assert "in-b.txt" in lab.files("copy", branch=OUT)
    assert "in-b.txt" not in lab.files("copy")
