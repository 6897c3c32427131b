"""Outputs that somebody changed by hand: they are found, named and put back."""

from __future__ import annotations

import pytest

from tea_runner.flow.incremental_planner import IncrementalPlanner
from tests.twins.files import Annexed, Content, Executable, Symlink
from tests.twins.lab import MemoryLab
from tests.twins.plans import CHAIN, plan_of, reasons
from tests.twins.queries import freshness

OUTPUT = "copy/in-a.txt"


@pytest.fixture
def settled(lab: MemoryLab) -> MemoryLab:
    """A chain whose results are published."""
    lab.push({**CHAIN})
    lab.settle()
    return lab


@pytest.mark.parametrize("edit", ["mine", Annexed("mine"), Symlink("in-b.txt"), "same, executable"])
def test_an_output_that_was_changed_by_hand_is_put_back(settled: MemoryLab, edit: Content) -> None:
    """Nothing is computed, and what reads it never sees the edit."""
    before = settled.files()
    if edit == "same, executable":
        edit = Executable(settled.text(OUTPUT))
    settled.push({OUTPUT: edit})
    state = plan_of(settled, "sum").state
    planned = reasons(settled)
    done, computed = settled.settle()

    assert planned == {"in:a": ("reuse", "edited"), "in:b": ("current", "current")}
    assert state == "waiting"
    assert computed == []
    assert before == settled.files()
    assert OUTPUT in done.pipelines["copy"].detail


def test_freshness_names_edited_outputs(settled: MemoryLab) -> None:
    """They are stale, with a cause of their own."""
    settled.push({OUTPUT: "mine"})
    (copy, _) = freshness(settled)

    assert [(each.datum, each.state, each.cause) for each in copy.datums] == [
        ("in:a", "stale", "edited"),
        ("in:b", "current", ""),
    ]
    assert copy.datums[0].outputs == ("in-a.txt",)


def test_another_file_beside_outputs_is_no_edit(settled: MemoryLab) -> None:
    """The pipeline file, for example, and one that no row lists."""
    settled.push({"copy/notes.txt": "1"})
    settled.settle()
    settled.push({"copy/notes.txt": "2"})

    assert not any("edited" in str(each) for each in freshness(settled))


def test_edits_are_found_from_the_plan_before_and_from_nothing(settled: MemoryLab) -> None:
    """Also those of rows that did not change between the two plans."""
    settled.plan()
    settled.push({OUTPUT: "mine", "raw/c": "3"})
    known = reasons(settled)
    settled.planner = IncrementalPlanner()
    fresh = reasons(settled)

    assert known == fresh
    assert fresh["in:a"] == ("reuse", "edited")
