"""What a plan has recorded as starts, from the books before and after it."""

from __future__ import annotations

from tea_runner.core.planning.asked_tick import AskedTick
from tea_runner.core.planning.input_trigger import InputState
from tea_runner.core.planning.recorded_ticks import ScheduleState, TickBook
from tea_runner.core.planning.start_causes import PipelineStart, starts_between

ONE, TWO = "2026-12-01T01:00:00Z", "2026-12-01T02:00:00Z"
_INPUT = InputState(seen="a", seen_commit="c" * 40, seen_at=ONE, taken_at=ONE)


def test_new_ticks_people_and_triggers_are_starts() -> None:
    """Each once; what was recorded before is none."""
    before = TickBook({("a", "tick"): ScheduleState(ONE, (ONE,))}, inputs={("c", "raw"): _INPUT})
    after = TickBook(
        {("a", "tick"): ScheduleState(TWO, (ONE, TWO)), ("b", "tick"): ScheduleState(ONE, (TWO,))},
        inputs={("c", "raw"): _INPUT.firing()},
    )
    asked = [AskedTick(pipeline="b", tick=TWO, by="Ada")]
    assert [
        PipelineStart(kind="by hand", pipeline="b", event=TWO, by="Ada"),
        PipelineStart(kind="schedule", pipeline="a", event=TWO),
        PipelineStart(kind="input", pipeline="c", event=f"raw of {'c' * 12}"),
    ] == starts_between(before, after, asked)
    assert [] == starts_between(after, after, ())
