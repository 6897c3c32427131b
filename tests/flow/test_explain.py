"""Why a datum runs or is known, and which datums a word means."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tea_runner.core.results.manifest_statement import format_statement, join_signature
from tea_runner.flow.read_manifest_statement import read_manifest_statement
from tests.twins.files import Content
from tests.twins.lab import MemoryLab, failing
from tests.twins.plans import CHAIN, TWO, plan_of
from tests.twins.queries import explain, match
from tests.twins.specs import pfs, spec


@pytest.fixture
def settled(lab: MemoryLab) -> MemoryLab:
    """A chain whose results are published."""
    lab.push({**CHAIN, "code/tool.py": "1"})
    lab.settle()
    return lab


@pytest.mark.parametrize(
    ("word", "how", "labels"),
    [
        ("in:a", "datum", ["copy in:a"]),
        ("copy in:a", "datum", ["copy in:a"]),
        ("copy", "datum", ["copy in:a", "copy in:b"]),
        ("copy/in-a.txt", "result", ["copy in:a"]),
        ("raw/a", "input", ["copy in:a"]),
        ("code/tool.py", "code", ["copy in:a", "copy in:b", "sum in:/"]),
    ],
)
def test_a_word_means_datums(settled: MemoryLab, word: str, how: str, labels: list[str]) -> None:
    """A label, a pipeline, a result, an input or code; a result before an input."""
    found = match(settled, word)
    assert found is not None

    assert found.how == how
    assert [f"{pipeline.name} {label}" for pipeline, label in found.datums] == labels


def test_the_beginning_of_a_key_means_its_datum(settled: MemoryLab) -> None:
    """Eight digits are enough, seven are not."""
    key = plan_of(settled).decisions[0].key
    found = match(settled, key[:8])

    assert found is not None
    assert [label for _, label in found.datums] == ["in:a"]
    assert match(settled, key[:7]) is None
    assert match(settled, "nothing") is None


def test_a_removed_datum_is_still_meant_by_its_label(settled: MemoryLab) -> None:
    """Its row is in the manifest, and the explanation says that it is gone."""
    settled.push({"raw/b": None})
    found = match(settled, "in:b")
    why = explain(settled, "copy", "in:b")

    assert found is not None
    assert [label for _, label in found.datums] == ["in:b"]
    assert (why.action, why.detail) == ("blocked", "there is no such datum any more")
    assert why.outputs == ("copy/in-b.txt",)


def test_a_current_datum_names_its_results_and_readers(settled: MemoryLab) -> None:
    """With the commit that made them."""
    why = explain(settled, "copy", "in:a")

    assert (why.action, why.reason) == ("current", "current")
    assert why.outputs == ("copy/in-a.txt",)
    assert why.made is not None
    assert why.made.subject == "made copy/in-a.txt"
    assert why.readers == ("sum",)
    assert why.changes == ()
    assert why.key == why.key_before


def test_a_new_datum_has_nothing_before(lab: MemoryLab) -> None:
    """No former key, no results."""
    lab.push(TWO)
    why = explain(lab, "copy", "in:a")

    assert (why.action, why.reason) == ("run", "new")
    assert (why.key_before, why.inputs_at, why.outputs, why.made) == ("", "", (), None)


@pytest.mark.parametrize(
    ("files", "changes"),
    [
        ({"raw/a": "other"}, [("input", "raw/a")]),
        (
            {"code/tool.py": "2", "code/new.py": "1"},
            [("code", "code/new.py"), ("code", "code/tool.py")],
        ),
        ({"copy/spec.yml": spec("copy", cmd=["x", "y"])}, [("field", "transform.cmd")]),
        ({"copy/spec.yml": spec("copy", salt="1")}, [("field", "salt")]),
        (
            {"copy/spec.yml": spec("copy", transform={"env": {"A": "1"}, "stdin": ["x"]})},
            [("field", "transform.stdin"), ("field", "transform.env")],
        ),
    ],
)
def test_every_difference_to_the_former_inputs_is_named(
    settled: MemoryLab, files: dict[str, Content], changes: list[tuple[str, str]]
) -> None:
    """Files with their content then and now; fields with their values."""
    settled.push(files)
    why = explain(settled, "copy", "in:a")

    assert [(change.kind, change.path) for change in why.changes] == changes
    assert all(change.before != change.after for change in why.changes)
    assert why.unknown == ""


def test_values_of_fields_are_shown_as_they_are_written(settled: MemoryLab) -> None:
    """Lists in brackets, nothing as ``none``."""
    settled.push({"copy/spec.yml": spec("copy", cmd=["x", "y"], output={"path": "$0"})})
    settled.push({"copy/spec.yml": spec("copy", cmd=["x", "y"])})
    (change,) = explain(settled, "copy", "in:a").changes

    assert (change.before, change.after) == ("['make-it']", "['x', 'y']")


def test_without_the_former_commit_the_changes_are_unknown(settled: MemoryLab) -> None:
    """A shallow clone cannot tell."""
    settled.push({"raw/a": "other"})
    why = explain(settled, "copy", "in:a", history=False)

    assert why.changes == ()
    assert "which this clone does not have" in why.unknown


def test_a_former_commit_that_cannot_be_planned_tells_nothing(settled: MemoryLab) -> None:
    """Its pipelines were at odds: no changes are named."""
    bad = settled.push({"copy2/spec.yml": spec("copy")})
    found = read_manifest_statement(settled.view().tree, "copy")
    assert found is not None
    text = format_statement(replace(found.statement, inputs_at=bad))
    signed = join_signature(text, settled.dataset.sign_results(text)).decode()
    settled.push({"copy2/spec.yml": None, f"copy/{found.statement.path}": signed, "raw/a": "other"})
    why = explain(settled, "copy", "in:a")

    assert (why.changes, why.unknown) == ((), "")


def test_a_datum_whose_pipeline_waits_says_for_whom(lab: MemoryLab) -> None:
    """Its key is not known yet."""
    lab.push(CHAIN)
    why = explain(lab, "sum", "in:/")

    assert (why.action, why.reason, why.detail) == ("wait", "upstream", "copy")
    assert why.key == ""


def test_a_datum_of_a_blocked_pipeline_names_the_failed_one(lab: MemoryLab) -> None:
    """Directly or further up."""
    lab.push({**CHAIN, "top/spec.yml": spec("top", pfs("sum", "/"))})
    lab.settle(command=failing("in:a"))
    why = explain(lab, "top", "in:/")

    assert (why.action, why.reason, why.detail) == ("blocked", "blocked-by-failure", "sum")
    failed = explain(lab, "copy", "in:a")
    assert (failed.action, failed.detail) == ("failed", "the command ended with code 1")
