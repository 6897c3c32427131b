"""When schedules of pipelines tick next, as lines."""

from __future__ import annotations

from collections.abc import Sequence

from tea_runner.cli.open_dataset import OpenDataset
from tea_runner.core.pipeline import cron_leaves
from tea_runner.core.planning.tick_names import tick_name
from tea_runner.core.spec.schedule import ScheduleClock
from tea_runner.flow.tick_inputs import due_ticks


def next_ticks(
    session: OpenDataset, clock: ScheduleClock, only: Sequence[str] = ()
) -> dict[str, str]:
    """Pipeline and input to the time of the next tick; one that is due already comes first."""
    tip = session.results_tip(fetched=False)
    scheduled = [
        each
        for each in tip.pipelines.written
        if cron_leaves(each.input) and (not only or each.name in only)
    ]
    now = clock.now() if scheduled else None
    if now is None:
        return {}
    book = session.clone.tick_book(session.clone.clone.branch())
    due = due_ticks(tip, book, clock)
    found = {}
    for (pipeline, name), moment in due.next_ticks(scheduled, now, clock.zone).items():
        state = due.states[pipeline, name]
        before = book.states.get((pipeline, name))
        is_due = state.pending and (before is None or before.since != state.since)
        found[f"{pipeline} {name}"] = state.since if is_due else tick_name(moment)
    return found


def next_tick_lines(
    session: OpenDataset, clock: ScheduleClock, only: Sequence[str] = ()
) -> list[str]:
    """A line for each schedule."""
    return [f"next tick: {name} {tick}" for name, tick in next_ticks(session, clock, only).items()]
