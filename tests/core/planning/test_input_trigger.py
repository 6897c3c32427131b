"""Triggers of inputs: what they wait for, and until when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tea_runner.core.pipeline import InputTrigger
from tea_runner.core.planning.input_trigger import InputState, PlanningTime, Wait, wait_of

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
STATE = InputState(
    seen="b",
    seen_commit="2",
    seen_at="2026-11-30T11:55:00Z",
    taken="a",
    taken_commit="1",
    taken_at="2026-11-30T11:30:00Z",
    commits=2,
)


def waits(**trigger: Any) -> Wait | None:
    """What an input with two new commits waits for at noon."""
    return wait_of(InputTrigger(**trigger), STATE, 0, PlanningTime(now=NOON))


@pytest.mark.parametrize(
    ("trigger", "sentence", "minutes"),
    [
        ({"commits": 5}, "waits for 3 more commits", None),
        ({"commits": 3}, "waits for 1 more commit", None),
        ({"size": 2_500_000}, "waits for 2.5M more", None),
        ({"size": 999}, "waits for 999 bytes more", None),
        ({"commits": 5, "cron_spec": "0 2 * * *"}, "waits for 3 more commits, or 02:00", 840),
        (
            {"commits": 5, "cron_spec": "0 2 * * *", "all": True},
            "waits for 3 more commits, and 02:00",
            None,
        ),
        ({"commits": 2, "cron_spec": "0 2 * * *", "all": True}, "waits for 02:00", 840),
        ({"cron_spec": "0 2 1 * *"}, "waits for 02:00", 840),
        ({"cron_spec": "0 2 3 * *"}, "waits for 2026-12-03 02:00", 3720),
        ({"rate_limit_spec": "@every 1h"}, "waits for 12:30", 30),
        ({"debounce": 600.0}, "waits until 12:05 for more to come", 5),
        (
            {"commits": 5, "debounce": 600.0},
            "waits for 3 more commits; and until 12:05 for more to come",
            None,
        ),
        ({"cron_spec": "@never"}, "waits for a time that never comes", None),
    ],
)
def test_a_trigger_says_what_it_waits_for(
    trigger: dict[str, Any], sentence: str, minutes: int | None
) -> None:
    """With the time at which to look again, where there is one."""
    found = waits(**trigger)
    assert found is not None
    due = NOON + timedelta(minutes=minutes) if minutes is not None else None
    assert (sentence, due) == (found.sentence, found.due)


@pytest.mark.parametrize(
    "trigger",
    [
        {"commits": 2},
        {"commits": 9, "cron_spec": "45 11 * * *"},
        {"commits": 2, "rate_limit_spec": "@every 10m", "all": True},
        {"debounce": 300.0},
        {"commits": 2, "debounce": 60.0},
    ],
)
def test_a_trigger_fires(trigger: dict[str, Any]) -> None:
    """One condition is enough, unless all are asked for; debounce is asked for in any case."""
    assert waits(**trigger) is None


def test_what_has_fired_waits_for_nothing_until_it_is_taken() -> None:
    """Also when more comes meanwhile; afterwards the count begins anew."""
    trigger, time = InputTrigger(commits=5), PlanningTime(now=NOON)
    fired = STATE.firing().looked_at("c", "3", 1, NOON)
    assert (True, 3, None) == (fired.fired, fired.commits, wait_of(trigger, fired, 0, time))
    done = fired.taken_now(NOON)
    assert (False, False, 0) == (done.is_new, done.fired, done.commits)
    more = done.looked_at("d", "4", 1, NOON)
    found = wait_of(trigger, more, 0, time)
    assert found is not None
    assert "waits for 4 more commits" == found.sentence


def test_the_first_data_are_no_matter_of_a_rate_limit() -> None:
    """There is nothing that they would come too soon after."""
    first = InputState(
        seen="b", seen_commit="2", seen_at=STATE.seen_at, taken_at=STATE.taken_at, commits=1
    )
    trigger = InputTrigger(rate_limit_spec="@every 1h")
    assert wait_of(trigger, first, 0, PlanningTime(now=NOON)) is None


def test_times_are_those_of_the_zone_of_schedules() -> None:
    """02:00 in Berlin is 01:00 in UTC."""
    zone = ZoneInfo("Europe/Berlin")
    found = wait_of(
        InputTrigger(cron_spec="0 2 * * *"), STATE, 0, PlanningTime(now=NOON, zone=zone)
    )
    assert found is not None
    assert ("waits for 02:00", NOON + timedelta(hours=13)) == (found.sentence, found.due)
