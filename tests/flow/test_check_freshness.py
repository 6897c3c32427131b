"""Which results in a tree are current, stale, missing or orphaned."""

from __future__ import annotations

import pytest

from tests.twins.files import Content
from tests.twins.lab import MemoryLab
from tests.twins.plans import CHAIN
from tests.twins.queries import freshness
from tests.twins.specs import spec


@pytest.fixture
def settled(lab: MemoryLab) -> MemoryLab:
    """A chain whose results are published."""
    lab.push(CHAIN)
    lab.settle()
    return lab


def states(lab: MemoryLab, name: str = "copy") -> dict[str, tuple[str, str]]:
    """Datum to state and cause."""
    (found,) = freshness(lab, name)
    return {each.datum: (each.state, each.cause) for each in found.datums}


def test_published_results_are_current(settled: MemoryLab) -> None:
    """Of all pipelines, in the order of the graph."""
    assert [(each.name, each.current) for each in freshness(settled)] == [
        ("copy", True),
        ("sum", True),
    ]


@pytest.mark.parametrize(
    ("files", "state"),
    [
        ({"raw/a": "other"}, ("stale", "input")),
        ({"copy/spec.yml": spec("copy", cmd=["x"])}, ("stale", "command")),
        ({"code/x": "1"}, ("stale", "code")),
        ({"copy/in-a.txt": None}, ("stale", "output")),
    ],
)
def test_a_stale_result_names_its_cause(
    settled: MemoryLab, files: dict[str, Content | None], state: tuple[str, str]
) -> None:
    """An input, the command, code, or outputs that are gone."""
    settled.push(files)

    assert states(settled)["in:a"] == state


def test_what_reads_stale_results_is_behind(settled: MemoryLab) -> None:
    """Its own datums may be as they should for what is there now."""
    settled.push({"raw/a": "other"})
    (above,) = freshness(settled, "sum")

    assert above.behind == ("copy",)
    assert not above.current


def test_new_and_removed_datums_are_missing_and_orphaned(settled: MemoryLab) -> None:
    """One has no results, the other has results and no datum."""
    settled.push({"raw/c": "1", "raw/b": None})

    assert states(settled) == {
        "in:a": ("current", ""),
        "in:c": ("missing", ""),
        "in:b": ("orphaned", ""),
    }


def test_a_pipeline_that_cannot_be_planned_has_a_problem(settled: MemoryLab) -> None:
    """The sentence of the planner."""
    settled.push({"raw/a": "version https://git-lfs.github.com/spec/v1\n"})
    (found,) = freshness(settled, "copy")

    assert "is kept by Git LFS" in found.problem
    assert not found.current


def test_results_without_a_pipeline_are_orphaned(settled: MemoryLab) -> None:
    """Their pipeline file was removed; they are named by their directory."""
    settled.push({"sum/spec.yml": None, "old/manifest.tsv": "nonsense"})
    found = {each.name: each for each in freshness(settled)}

    assert not found["sum"].owned
    assert [each.state for each in found["sum"].datums] == ["orphaned"]
    assert "old" not in found


def test_an_unknown_name_has_no_results(settled: MemoryLab) -> None:
    """Nothing is made up."""
    assert freshness(settled, "nothing") == []
