"""The page of differences from Pachyderm is complete."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tea_runner.core.spec.field import Field
from tea_runner.core.spec.fields import TOP

_PAGE = Path(__file__).parents[3] / "docs/reference/differences-from-pachyderm.md"
#: What such a field is in is on the page.
_WITHIN = ("cron", "resource_requests", "resource_limits", "gpu", "metadata", "scheduling_spec")


def _different(fields: tuple[Field, ...], within: str = "") -> Iterator[str]:
    for known in fields:
        if known.ours or known.support in ("works", "renamed"):
            yield from _different(known.fields, known.name)
        elif within not in _WITHIN:
            yield known.name
            if known.support == "differs":
                yield from _different(known.fields, known.name)


def test_each_field_that_does_not_work_as_there_is_on_the_page() -> None:
    """By its name, in a row with the reason."""
    rows = [line for line in _PAGE.read_text("utf-8").splitlines() if line.startswith("| ")]
    names = dict.fromkeys(_different(TOP))
    assert len(names) > 40
    words = " ".join(rows)
    known = {"repo", "branch", "image", "secrets", "commit", "git", "s3"}
    assert [] == [name for name in names if f"{name}`" not in words and name not in known]
    assert [] == [row for row in rows if row.count("|") != 4]
