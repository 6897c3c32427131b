"""Scalars: accepted values, and messages for others."""

from __future__ import annotations

import pytest

from tea_runner.core.spec.scalars import (
    ScalarError,
    amount,
    boolean,
    duration,
    is_pitfall,
    number,
    processors,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("1h30m", 5400),
        ("500ms", 0.5),
        ("1.5h", 5400),
        ("1m0.5s", 60.5),
        ("24h", 86400),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    """Numbers with units, as Go writes them."""
    assert seconds == duration(text)


@pytest.mark.parametrize(
    "text", ["0", "0s", "-1", "-1s", "1000000000", "1000000000s", "1e3", "5 minutes", "90", "", "s"]
)
def test_what_is_no_duration(text: str) -> None:
    """Without a unit, without an amount, or beyond a year."""
    with pytest.raises(ScalarError):
        duration(text)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("500", 500),
        ("64M", 64_000_000),
        ("2Gi", 2 * 1024**3),
        ("1.5Ki", 1536),
        ("3k", 3000),
        ("0", 0),
    ],
)
def test_amounts_of_bytes(text: str, count: int) -> None:
    """Suffixes without i count in thousands, with i in 1024s."""
    assert count == amount(text)


@pytest.mark.parametrize("text", ["", "M", "2Gb", "-1", "1e-9", "1e99", "9Ei", "2 Gi"])
def test_what_is_no_amount(text: str) -> None:
    """Other suffixes, nothing, and more than can be counted."""
    with pytest.raises(ScalarError):
        amount(text)


def test_processors() -> None:
    """Whole, in parts, or in thousandths."""
    assert [2.0, 0.5, 0.5, 0.5] == [processors(text) for text in ("2", "0.5", "500m", ".5")]
    for text in (".", "-1", "x", "1e3", ""):
        with pytest.raises(ScalarError):
            processors(text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("017", "expected a whole number without a leading 0, got 017"),
        ("1.5", "expected a whole number, got '1.5'"),
        ("-1", "expected a whole number, got '-1'"),
        ("9" * 5000, "expected a whole number, got '99999999999999999999…'"),
    ],
)
def test_what_is_no_number(text: str, problem: str) -> None:
    """Said with what was written, shortened."""
    assert 17 == number("17")
    with pytest.raises(ScalarError) as caught:
        number(text)
    assert problem == str(caught.value)


def test_only_spellings_of_yaml_are_booleans() -> None:
    """Lower case, capitalized or upper case; no other mixture, and no number."""
    assert (True, False) == (boolean("true"), boolean("NO"))
    for text in ("tRUE", "yEs", "t", "ja", "1", ""):
        with pytest.raises(ScalarError):
            boolean(text)


def test_pitfalls_of_yaml() -> None:
    """What another reader takes for a boolean, an octal number, a time, a date, or rounds."""
    pitfalls = ["no", "Yes", "y", "017", "12:30:45", "2026-01-31", "1.10", "1e3", "0x1F"]
    harmless = ["nothing", "17", "1.5", "a:b", "3.10.1", "sub-01", "raw/t1", "$1"]
    assert (pitfalls, []) == (
        [text for text in pitfalls if is_pitfall(text)],
        [text for text in harmless if is_pitfall(text)],
    )
