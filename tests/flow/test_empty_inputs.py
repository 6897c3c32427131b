"""Inputs without files: git has no empty folder, so a folder whose last file went is not in the tree."""

from __future__ import annotations

from tea_runner.flow.incremental_planner import IncrementalPlanner
from tests.twins.lab import MemoryLab
from tests.twins.plans import CHAIN, TWO, plan_of
from tests.twins.queries import lint
from tests.twins.specs import pfs, spec

GONE = {"raw/a": None, "raw/b": None}


def test_the_last_file_of_an_input_goes_and_its_results_go(lab: MemoryLab) -> None:
    """No datum is left, here and downstream; the run is a success, and stays one."""
    lab.push(CHAIN)
    lab.settle()
    assert set(lab.files("copy")) == {"in-a.txt", "in-b.txt"}
    lab.push(GONE)

    lab.settle()
    assert ({}, {}) == (lab.files("copy"), lab.files("sum"))
    assert ("settled", "settled") == (plan_of(lab).state, plan_of(lab, "sum").state)
    lab.push({"README": "later"})
    lab.planner = IncrementalPlanner()
    assert "settled" == plan_of(lab).state


def test_a_folder_that_is_filled_again_is_read_again(lab: MemoryLab) -> None:
    """What is known of the same content is reused."""
    lab.push(TWO)
    lab.settle()
    lab.push(GONE)
    lab.settle()
    lab.push({"raw/a": "one", "raw/c": "three"})

    assert {"in:a": "reuse", "in:c": "run"} == {d.label: d.action for d in plan_of(lab).decisions}


def test_a_folder_that_never_was_is_a_mistake(lab: MemoryLab) -> None:
    """A name that is written wrongly deletes no results, and the sentence says how to declare one."""
    lab.push(TWO)
    lab.settle()
    lab.push({"copy/spec.yml": spec("copy", pfs("rwa"))})
    assert "blocked" == plan_of(lab).state
    lab.push({"copy/spec.yml": spec("copy", pfs("elsewhere"))})

    assert "there is no pipeline or directory elsewhere" in plan_of(lab).detail
    assert "elsewhere/.gitkeep" in plan_of(lab).detail


def test_a_folder_with_gitkeep_alone_is_an_empty_input(lab: MemoryLab) -> None:
    """So an empty input is declared; the file is no datum, also later beside others."""
    lab.push({"raw/.gitkeep": "", "copy/spec.yml": spec("copy")})
    lab.settle()
    assert ("settled", ()) == (plan_of(lab).state, plan_of(lab).decisions)
    lab.push({"raw/a": "1", "raw/sub/.gitkeep": ""})

    assert ["in:a", "in:sub/"] == [d.label for d in plan_of(lab).decisions]


def test_another_branch_does_not_remember(lab: MemoryLab) -> None:
    """A folder that only another branch had is a mistake, whatever was planned before."""
    lab.push({"README": "1", "copy/spec.yml": spec("copy", pfs("raw"))})
    alone = lab.tip()
    lab.push(TWO)
    lab.settle()
    lab.push(GONE)
    assert "blocked" != plan_of(lab).state
    lab.dataset.forge["refs/heads/main"] = alone

    assert "blocked" == plan_of(lab).state


def test_a_cross_with_an_empty_input_has_no_datums(lab: MemoryLab) -> None:
    """As in Pachyderm; the other input alone makes none."""
    both = {"cross": [pfs("raw"), pfs("more", name="other")]}
    lab.push({**TWO, "more/x": "1", "copy/spec.yml": spec("copy", both)})
    lab.settle()
    lab.push({"more/x": None})
    lab.settle()

    assert ({}, "settled") == (lab.files("copy"), plan_of(lab).state)


def test_lint_warns_of_a_folder_that_is_gone(lab: MemoryLab) -> None:
    """It is probably not meant, but nothing keeps the pipeline from running."""
    lab.push(TWO)
    (problem,) = lint(GONE, lab)

    assert ("warning", "copy/spec.yml", "input.pfs.repo") == (
        problem.kind,
        problem.file,
        problem.key,
    )
    assert problem.message == "raw is no longer in this dataset: the input is empty"
