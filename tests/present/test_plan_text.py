"""The words of states, plans, amounts and of what cannot be seen."""

from __future__ import annotations

import pytest

from tea_runner.core.pipeline import Pfs, Pipeline, Transform
from tea_runner.core.planning.plan import Decision, PipelinePlan, Plan
from tea_runner.core.planning.reasons import REASONS, SENTENCES
from tea_runner.core.planning.run_status import PipelineStatus
from tea_runner.core.planning.states import STATES
from tea_runner.present import human_units, state_words
from tea_runner.present.plan_text import plan_json, plan_lines
from tea_runner.present.summary_line import description
from tea_runner.present.visible_text import visible, visible_lines


def planned(*decisions: Decision, state: str = "running", detail: str = "") -> Plan:
    """A plan of one pipeline."""
    pipeline = Pipeline(
        name="edges",
        home="edges",
        spec_path="edges/spec.yml",
        transform=Transform(cmd=("true",)),
        input=Pfs(name="images", repo="images", glob="/*"),
    )
    row = PipelinePlan(
        pipeline=pipeline,
        state=state,  # type: ignore[arg-type]
        decisions=decisions,
        reason="upstream" if state == "waiting" else None,
        detail=detail,
    )
    return Plan(commit="c" * 40, pipelines=(row,))


def test_every_reason_has_a_sentence() -> None:
    """The closed list and the sentences are the same list."""
    assert set(REASONS) == set(SENTENCES)


def test_every_state_has_a_shape_of_its_own() -> None:
    """Who sees no colours sees nine shapes."""
    assert len(STATES) == len({state_words.SHAPES[state] for state in STATES}) == 9


def test_a_plan_tells_what_runs_and_why() -> None:
    """A line for each datum that is not known, and how much there is in all."""
    plan = planned(
        Decision("images:a.jpg", "k1", "", "run", "new"),
        Decision("images:b.jpg", "k2", "", "current", "current"),
    )
    lines = list(plan_lines(plan))
    assert lines[1] == "run(new): edges images:a.jpg  it had not been computed before"
    assert lines[-1] == ("1 datum to run now; 1 known. Reasons: new 1. Nothing was written.")
    assert "images:b.jpg" in "\n".join(plan_lines(plan, everything=True))
    assert plan_json(plan)["commit"] == "c" * 40


def test_nothing_to_do_is_said() -> None:
    """Silence would be confusing."""
    plan = planned(Decision("images:a.jpg", "k", "", "current", "current"), state="settled")
    assert list(plan_lines(plan))[-1] == "Nothing to do: 1 datum known."


def test_a_waiting_pipeline_says_for_whom() -> None:
    """The pipeline above is named."""
    assert "wait(upstream): edges  prep" in list(
        plan_lines(planned(state="waiting", detail="prep"))
    )


def test_a_status_is_one_short_line() -> None:
    """Forges cut at 255, people earlier; a line break never gets through."""
    text = description("failed", {"failed": 2, "reused": 3}, "first\nsecond " + "x" * 500)
    assert text.startswith("2 of 5 failed: first second x")
    assert len(text) == 140


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        ({"reused": 116, "done": 12}, "12 done + 116 reused / 128"),
        ({"waiting": 3}, "0 / 3"),
        ({"failed": 1, "done": 2}, "2 done / 3"),
        ({}, "not planned yet"),
    ],
)
def test_progress_names_what_is_finished_of_how_many(counts: dict[str, int], told: str) -> None:
    """Pachyderm's own way: processed and skipped of all."""
    row = PipelineStatus(name="edges", state="running", numbers=counts)  # type: ignore[arg-type]
    assert told == state_words.progress(row)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (None, ""),
        (0, "0.0 s"),
        (0.44, "0.4 s"),
        (9.96, "10 s"),
        (59.6, "1 min"),
        (130, "2 min 10 s"),
        (3600, "1 h"),
        (11_100, "3 h 5 min"),
        (187_200, "2 d 4 h"),
        (-5, "0.0 s"),
    ],
)
def test_durations_are_two_units_at_most(seconds: float | None, told: str) -> None:
    """What people say of a time, not all its digits."""
    assert told == human_units.duration(seconds)


def test_moments_are_told_from_now_and_in_full() -> None:
    """The same moment for people and for programs; none is nothing."""
    expected = ["just now", "50 s ago", "2 min ago", "3 h ago", "2 d ago"]
    now = 1_770_000_000
    assert expected == [
        human_units.ago(now - each, now) for each in (1, 50, 120, 3 * 3600, 2 * 86_400)
    ]
    assert human_units.ago(0, 1000) == ""
    assert human_units.moment(1_770_000_000) == "2026-02-02 02:40:00 UTC"
    assert human_units.instant(1_770_000_000) == "2026-02-02T02:40:00Z"
    assert human_units.instant(0) == human_units.moment(0) == ""


@pytest.mark.parametrize(
    ("count", "told"),
    [(None, ""), (1, "1 byte"), (812, "812 bytes"), (4_300_000, "4.1 MiB"), (2**50, "1024.0 TiB")],
)
def test_sizes_are_told_in_the_nearest_unit(count: int | None, told: str) -> None:
    """Bytes while they are few, binary units above."""
    assert told == human_units.size(count)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain näme ✓", "plain näme ✓"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("a\nb\tc\0", "a\\x0ab\\x09c\\x00"),
        ("\udcff.jpg", "\\xff.jpg"),
        ("\ud800", "\\ud800"),
        ("invoice\u202egpj.exe", "invoice\\u202egpj.exe"),
        ("zero\u200bwidth\ufeff", "zero\\u200bwidth\\ufeff"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_what_cannot_be_seen_is_shown_as_an_escape(text: str, shown: str) -> None:
    """Controls, directions, empty separators and odd bytes; everything else is left alone."""
    assert shown == visible(text)
    visible(text).encode()


def test_lines_of_a_log_stay_lines() -> None:
    """Line ends and tabs are kept; a progress display's returns become lines."""
    assert visible_lines("a\r\n10%\r20%\tx\n\x1b[0m") == "a\n10%\n20%\tx\n\\x1b[0m"
