"""Decisions: each datum has one reason, and counts add up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tea_runner.core.datums.datum_keys import KeyBase
from tea_runner.core.pipeline import Pfs, Pipeline, Transform
from tea_runner.core.planning.plan import (
    KeyedDatum,
    KnownResult,
    PipelinePlan,
    Plan,
    Source,
    decide,
)
from tea_runner.core.planning.reasons import REASONS, SENTENCES
from tea_runner.core.results.manifest import Manifest, ManifestPiece, Row

PIPELINE = Pipeline(
    name="up",
    home="up",
    spec_path="up/spec.yml",
    transform=Transform(cmd=("x",)),
    input=Pfs(name="in", repo="raw", glob="/*"),
)
BASE = KeyBase(command="c" * 64, parameters="p" * 64, environment="e" * 64, code="d" * 64)
KNOWN = KnownResult("manifest", "c0ffee")
A, B = KeyedDatum("a", "ka", ""), KeyedDatum("b", "kb", "")
ROWS = Manifest.of((Row("a", "ka", "", ("x",)), Row("b", "kb", "", ())), parts=BASE.parts)


def plan(
    *keyed: KeyedDatum, before: Manifest = ROWS, shared: KeyBase = BASE, **more: Any
) -> PipelinePlan:
    """Decide with nothing known but what is given."""
    return decide(
        more.pop("pipeline", PIPELINE), keyed, shared, before, known=more.pop("known", {}), **more
    )


def said(made: PipelinePlan) -> list[tuple[str, str]]:
    """Action and reason of each datum."""
    return [(decision.action, decision.reason) for decision in made.decisions]


def test_what_stands_is_settled() -> None:
    """All datums current and none gone: nothing to do."""
    made = plan(A, B)

    assert ("settled", 2) == (made.state, made.counts["current"])
    assert not Plan(commit="x", pipelines=(made,)).has_work


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"before": Manifest()}, ("run", "new")),
        (
            {"before": replace(ROWS, pieces=(ManifestPiece((Row("a", "old", "", ()),)),))},
            ("run", "input-changed"),
        ),
        ({"known": {"ka": KNOWN}, "before": Manifest()}, ("reuse", "known")),
        ({"known": {"ka": KNOWN}}, ("current", "current")),
        ({"forced": ("ka",)}, ("run", "forced")),
        ({"missing_outputs": ("a",)}, ("run", "result-missing")),
        ({"missing_outputs": ("a",), "known": {"ka": KNOWN}}, ("reuse", "known")),
        ({"failures": {"ka": "why"}, "before": Manifest()}, ("failed", "failed")),
        ({"failures": {"ka": "why"}}, ("current", "current")),
        ({"missing": {"ka": "where"}, "before": Manifest()}, ("wait", "content-missing")),
    ],
)
def test_a_datum_has_one_reason(more: dict[str, Any], expected: tuple[str, str]) -> None:
    """What is forced, stands, is known, failed or waits, in this order; else it runs."""
    assert [expected] == said(plan(A, **more))


@pytest.mark.parametrize("part", ["command", "code", "environment", "parameters"])
def test_a_changed_part_is_named(part: str) -> None:
    """When all keys changed at once, the reason says which part of the key did it."""
    before = replace(
        ROWS,
        parts={**BASE.parts, part: "0" * 16},
        pieces=(ManifestPiece((Row("a", "old", "", ()),)),),
    )
    (decision,) = plan(A, before=before).decisions

    assert f"{part}-changed" == decision.reason
    assert decision.detail.startswith("00000000 → ")


def test_equal_keys_are_computed_once() -> None:
    """The second datum waits for the first one's result; another place alone moves a known result."""
    twins = plan(KeyedDatum("a", "k", "1"), KeyedDatum("b", "k", "2"), before=Manifest())
    moved = plan(KeyedDatum("a", "ka", "new"), known={"ka": KNOWN})

    assert [("run", "new"), ("reuse", "same-content")] == said(twins)
    assert "a" == twins.decisions[1].detail
    assert ["a"] == [decision.label for decision in twins.to_run]
    assert [("reuse", "known")] == said(moved)


def test_states() -> None:
    """Settled, ready, running, failed: from the decisions and what the manifest has besides."""
    failing = {
        "failures": {"kb": "why"},
        "before": replace(ROWS, pieces=(ManifestPiece(ROWS.rows[:1]),)),
    }
    publish = replace(PIPELINE, on_failure="publish")

    assert "ready" == plan(A).state
    assert "ready" == plan(before=ROWS).state
    assert "settled" == plan(before=Manifest()).state
    assert "running" == plan(A, B, before=Manifest(), known={"ka": KNOWN}).state
    assert "failed" == plan(A, B, **failing).state
    assert "failed" == plan(A, B, pipeline=publish, **failing).state
    assert (
        "ready"
        == plan(
            A, B, pipeline=publish, failures={"kb": "w"}, before=Manifest(), known={"ka": KNOWN}
        ).state
    )


@pytest.mark.parametrize("source", get_args(Source))
def test_a_reused_datum_names_what_holds_its_result(source: Source) -> None:
    """Source and location are fields of the decision; a datum that runs has no source."""
    reused = plan(A, known={"ka": KnownResult(source, "there")}, before=Manifest()).decisions[0]
    fresh = plan(A, recomputed={"ka": "refs/tea/jobs/1"}).decisions[0]
    new = plan(A, before=Manifest()).decisions[0]

    assert (source, "there") == (reused.source, reused.detail)
    assert ("job", "refs/tea/jobs/1") == (fresh.source, fresh.detail)
    assert new.source is None


names = st.sampled_from("abc")
keyed = st.lists(
    st.builds(KeyedDatum, names, names, st.just("")), max_size=3, unique_by=lambda k: k.label
)
some = st.sets(names)


@given(keyed, keyed, some, some, some)
def test_counts_add_up(
    now: list[KeyedDatum],
    then: list[KeyedDatum],
    known: set[str],
    failed: set[str],
    lost: set[str],
) -> None:
    """Whatever is known: one decision per datum, a reason of the list, and at most one run per key."""
    before = Manifest.of(tuple(Row(k.label, k.key, k.place, ()) for k in then))
    made = plan(
        *now,
        before=before,
        known=dict.fromkeys(known, KNOWN),
        missing_outputs=lost,
        failures=dict.fromkeys(failed, "w"),
    )
    running = [decision.key for decision in made.to_run]

    assert len(now) == sum(made.counts.values()) == len(made.decisions)
    assert all(decision.reason in REASONS for decision in made.decisions)
    assert len(running) == len(set(running))
    assert (made.state == "running") == bool(running)


def test_every_reason_has_a_sentence() -> None:
    """The list is closed, and people can read it."""
    assert set(REASONS) == set(SENTENCES)
