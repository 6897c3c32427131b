"""Which messages ask that a push be skipped."""

from __future__ import annotations

import pytest

from tea_runner.core.git.skip_request import skip_marker


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("describe [skip ci]\n", "[skip ci]"),
        ("[ci skip] describe", "[ci skip]"),
        ("describe\n\nno result changes\n\n[Skip Tea]\n", "[Skip Tea]"),
        ("\n[tea skip]", "[tea skip]"),
        ("describe", ""),
        ("", ""),
        ("three things (#3)\n\n* first [skip ci]\n* second\n", ""),
        ("say what [skip  ci] means", ""),
        ("[skip-ci]", ""),
    ],
)
def test_a_marker_counts_in_the_first_line_or_alone_in_a_line(message: str, expected: str) -> None:
    """The list of a squashed branch repeats messages of others, which ask nothing here."""
    assert expected == skip_marker(message, ["a"])


def test_a_merge_asks_nothing() -> None:
    """Its message repeats the title of what is merged."""
    assert "" == skip_marker("Merge 'describe [skip ci]'", ["a", "b"])
    assert "[skip ci]" == skip_marker("begin [skip ci]", [])
