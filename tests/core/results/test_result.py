"""Stored results: canonical JSON; anything else is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tea_runner.core.git.tree import EXECUTABLE, LINK, PLAIN
from tea_runner.core.results.result import (
    Result,
    ResultError,
    ResultFile,
    format_results,
    parse_results,
)

word = st.text(
    st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from("\udc80\n")), max_size=5
)
output = st.builds(
    ResultFile,
    word,
    st.sampled_from(["annex", "git", "link"]),
    word,
    st.integers(0, 9),
    st.booleans(),
)
outputs = st.lists(output, max_size=3, unique_by=lambda o: o.path).map(
    lambda found: tuple(sorted(found, key=lambda o: o.path))
)
result = st.builds(Result, word, outputs, st.integers(0, 255), st.booleans())


@given(st.lists(result, max_size=3, unique_by=lambda r: r.key))
def test_results_survive_their_text(found: list[Result]) -> None:
    """All fields come back, sorted by key; the order of what was given says nothing."""
    text = format_results(found)

    assert tuple(sorted(found, key=lambda r: r.key)) == parse_results(text)
    assert text == format_results(found[::-1])
    assert text.isascii()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b'{"format": 2, "results": []}',
        b'{"format": 1, "results": [{}]}',
        b'{"format": 1, "results": [{"key": 1, "exit": "x", "recovered": 0, "outputs": []}]}',
        b"\xff",
        b"[" * 100_000,
    ],
)
def test_anything_else_is_refused(data: bytes) -> None:
    """Other JSON, other formats, deep nesting: an error of ours, which counts as no result."""
    with pytest.raises(ResultError):
        parse_results(data)


def test_modes_are_those_of_the_tree() -> None:
    """Annexed files and links are symlinks; files in git keep their executable bit."""
    assert [LINK, LINK, PLAIN, EXECUTABLE] == [
        ResultFile("x", "annex", "k", 1, True).mode,
        ResultFile("x", "link", "o", 1).mode,
        ResultFile("x", "git", "o", 1).mode,
        ResultFile("x", "git", "o", 1, True).mode,
    ]
