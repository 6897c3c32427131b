"""Datums whose content is in no storage: the others go on."""

from __future__ import annotations

import pytest

from tests.twins.files import Content
from tests.twins.lab import InputMissing, MemoryLab, write_key
from tests.twins.plans import TWO, plan_of, reasons
from tests.twins.specs import spec


def without_b(label: str, key: str) -> dict[str, Content]:
    """As :func:`write_key`, but one datum has no content."""
    if label == "in:b":
        raise InputMissing("raw/b is in no storage")
    return write_key(label, key)


@pytest.mark.parametrize("on_failure", ["fail", "publish"])
def test_one_datum_without_content_stops_no_other(lab: MemoryLab, on_failure: str) -> None:
    """All others are computed and, with ``on_failure: publish``, published."""
    lab.push({**TWO, "copy/spec.yml": spec("copy", on_failure=on_failure)})
    _, computed = lab.settle(command=without_b)
    published = "copy/in-a.txt" in lab.entries()

    assert "in:a" in computed
    assert published == (on_failure == "publish")
    assert reasons(lab)["in:b"] == ("wait", "content-missing")
    assert plan_of(lab).state == "running"
    assert "copy/in-b.txt" not in lab.entries()


def test_content_that_comes_is_computed_and_added(lab: MemoryLab) -> None:
    """Nothing that was published before is computed again."""
    lab.push({**TWO, "copy/spec.yml": spec("copy", on_failure="publish")})
    lab.settle(command=without_b)
    lab.push({"notes.txt": "another commit"})
    _, computed = lab.settle()

    assert computed == ["in:b"]
    assert {"copy/in-a.txt", "copy/in-b.txt"} <= lab.entries().keys()
    assert plan_of(lab).state == "settled"
