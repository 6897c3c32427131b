"""Verdicts are told in one line, and the ledger counts them."""

from __future__ import annotations

from tea_runner.core.planning.recompute_verdict import (
    Outcome,
    RecomputeVerdict,
    add_verdict,
    first_few,
)


def _verdict(datum: str, outcome: Outcome, detail: str = "") -> RecomputeVerdict:
    return RecomputeVerdict(
        pipeline="up", datum=datum, key="k" + datum, outcome=outcome, detail=detail
    )


def test_a_verdict_is_one_line() -> None:
    """By whom, the outcome, who it is, and what differs."""
    assert "reproduce(ok): up a" == str(_verdict("a", "ok"))
    assert "reproduce(differs): up a: up/x" == str(_verdict("a", "differs", "up/x"))


def test_many_paths_are_cut() -> None:
    """Three are named, the others counted."""
    assert "a, b, c" == first_few("abc")
    assert "a, b, c and 2 more" == first_few("abcde")


def test_the_ledger_counts_and_keeps_the_last_of_each_datum() -> None:
    """Skipped datums are not counted; a datum that was verified twice is named once."""
    first = add_verdict(
        {}, [_verdict("a", "ok"), _verdict("b", "differs", "up/b"), _verdict("c", "skipped")]
    )
    row = add_verdict(first, [_verdict("b", "ok")])["pipelines"]["up"]

    assert (2, 1, 0) == (row["ok"], row["differs"], row["failed"])
    assert {"a": "ok", "b": "ok"} == {name: d["outcome"] for name, d in row["datums"].items()}


def test_what_is_no_ledger_is_an_empty_one() -> None:
    """Rubbish in the file loses nothing but itself."""
    for rubbish in ({}, {"format": 99, "pipelines": {"x": 1}}, {"format": 1, "pipelines": []}):
        assert {"up"} == add_verdict(rubbish, [_verdict("a", "ok")])["pipelines"].keys()
