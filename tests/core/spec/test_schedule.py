"""Schedules: what each form of text means, and which ticks are due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tea_runner.core.spec.schedule import (
    MOST_AT_ONCE,
    ScheduleError,
    parse_schedule,
    parse_time,
    time_zone,
)


def at(text: str) -> datetime:
    """A time in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "since", "following"),
    [
        ("@every 1h", "2026-11-30T10:20:30", "2026-11-30T11:20:30"),
        ("@every 1h30m", "2026-11-30T10:00", "2026-11-30T11:30"),
        ("0 3 * * *", "2026-11-30T03:00", "2026-12-01T03:00"),
        ("*/10 * * * *", "2026-11-30T10:05", "2026-11-30T10:10"),
        ("0 0 ? * MON", "2026-11-30T00:00", "2026-12-07T00:00"),
        ("@hourly", "2026-11-30T10:20", "2026-11-30T11:00"),
        ("@daily", "2026-11-30T10:20", "2026-12-01T00:00"),
        ("@midnight", "2026-11-30T10:20", "2026-12-01T00:00"),
        ("@weekly", "2026-11-30T10:20", "2026-12-06T00:00"),
        ("@monthly", "2026-11-30T10:20", "2026-12-01T00:00"),
        ("@yearly", "2026-11-30T10:20", "2027-01-01T00:00"),
        ("@annually", "2026-11-30T10:20", "2027-01-01T00:00"),
        ("TZ=Europe/Berlin 0 3 * * *", "2026-11-30T10:00", "2026-12-01T02:00"),
        ("CRON_TZ=Europe/Berlin 0 3 * * *", "2026-06-30T10:00", "2026-07-01T01:00"),
    ],
)
def test_each_form_of_a_schedule_has_its_next_tick(text: str, since: str, following: str) -> None:
    """The forms of Pachyderm's spec give the times that it gives."""
    assert at(following) == next(parse_schedule(text).after(at(since)))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "often",
        "@every",
        "@every soon",
        "@every 10ms",
        "@reboot",
        "* * * *",
        "0 0 0 0 0 0",
        "61 * * * *",
        "0 0 30 2 *",
        "TZ=Nowhere/Else 0 3 * * *",
        "TZ=../../etc/passwd 0 3 * * *",
        "9" * 5000 + " * * * *",
        "1-" * 90 + " * * * *",
    ],
)
def test_other_texts_are_no_schedule(text: str) -> None:
    """A text that never ticks, or that nobody can read, is refused with what was expected."""
    with pytest.raises(ScheduleError):
        parse_schedule(text)


@pytest.mark.parametrize("text", ["@every 8000h", "0 0 1 1 *"])
def test_the_times_of_a_schedule_end_with_the_calendar(text: str) -> None:
    """A start in the year 9999 breaks no plan."""
    assert [] == list(parse_schedule(text).after(at("9999-06-01")))


@pytest.mark.parametrize("text", ["@every 1h", "0 * * * *"])
def test_missed_ticks_are_due_once_or_all(text: str) -> None:
    """After an outage the newest tick stands for all, or each is due."""
    schedule, since, now = parse_schedule(text), at("2026-11-30T00:00"), at("2026-11-30T05:30")
    assert (at("2026-11-30T05:00"),) == schedule.due(since, now, every=False)
    all_five = tuple(since + timedelta(hours=n) for n in range(1, 6))
    assert all_five == schedule.due(since, now, every=True)
    assert () == schedule.due(at("2026-11-30T05:00"), now, every=False)
    assert () == schedule.due(at("2026-11-30T05:00"), now, every=True)
    assert () == schedule.due(now, since, every=False)


def test_a_tick_is_due_at_its_very_time() -> None:
    """A tick at now is due, and not once more afterwards."""
    now = at("2026-11-30T05:00")
    for text in ("@every 5h", "0 5 * * *"):
        assert (now,) == parse_schedule(text).due(at("2026-11-30T00:00"), now, every=False)
        assert () == parse_schedule(text).due(now, now, every=False)


def test_a_plan_takes_a_bounded_number_of_ticks() -> None:
    """A year of missed seconds does not make one plan of millions."""
    schedule, since = parse_schedule("@every 1s"), at("2026-01-01")
    due = schedule.due(since, at("2027-01-01"), every=True)
    assert (MOST_AT_ONCE, since + timedelta(seconds=MOST_AT_ONCE)) == (len(due), due[-1])
    assert (at("2027-01-01"),) == schedule.due(since, at("2027-01-01"), every=False)


def test_summer_time_neither_loses_nor_doubles_a_daily_tick() -> None:
    """In the night in which clocks go forward or back there is one tick."""
    schedule = parse_schedule("30 2 * * *", time_zone("Europe/Berlin"))
    for start in ("2026-03-27T12:00", "2026-10-23T12:00"):
        ticks = schedule.due(at(start), at(start) + timedelta(days=4), every=True)
        assert 4 == len(ticks)


@pytest.mark.parametrize(
    "text", ["2026-11-30", "2026-11-30T10:00:00", "now", "0001-01-01T00:00+09:00"]
)
def test_a_time_needs_its_zone(text: str) -> None:
    """A time that different machines would read differently is refused."""
    with pytest.raises(ScheduleError):
        parse_time(text)
