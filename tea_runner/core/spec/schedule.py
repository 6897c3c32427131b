"""Schedules: when the ticks of an input are due.

The language is that of Pachyderm's ``spec``: five fields of cron(5), names such as ``@daily``, ``@every``
and a duration, and ``@never`` for one that ticks by hand only; ``TZ=Area/City`` before the fields names a
time zone.  Summer time is treated as Debian's cron does.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import count, islice
from zoneinfo import ZoneInfo

from tea_runner.core.spec.scalars import ScalarError, duration

_NAMED = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_LONGEST = 200
#: Ticks that one plan takes at most; the rest comes with the next.
MOST_AT_ONCE = 1000


@dataclass(frozen=True, kw_only=True)
class ScheduleClock:
    """The time at which ticks are due, None where nothing ticks; the zone of schedules that name none."""

    now: Callable[[], datetime | None]
    zone: tzinfo = UTC
    #: The time for triggers of inputs, which hold everywhere; None for that of ticks.
    present: Callable[[], datetime] | None = None


class ScheduleError(ValueError):
    """The text is no schedule; the message says what was expected."""


@dataclass(frozen=True)
class Schedule:
    """When ticks are due."""

    #: Five fields of cron(5); empty for one of equal intervals, or one that never ticks by itself.
    fields: str = ""
    zone: tzinfo = UTC
    interval: timedelta = timedelta()

    def after(self, since: datetime) -> Iterator[datetime]:
        """The times after another one, in order; none when the schedule never comes."""
        if self.fields:
            yield from self._cron(since, reverse=False)
            return
        with contextlib.suppress(OverflowError):
            for number in count(1) if self.interval else ():
                yield since + number * self.interval

    def due(self, since: datetime, now: datetime, *, every: bool) -> tuple[datetime, ...]:
        """The times after *since* until *now*: the newest, or the first of all of them."""
        if now <= since or not (self.fields or self.interval):
            return ()
        if every:
            times = islice(self.after(since), MOST_AT_ONCE)
            return tuple(moment for moment in times if moment <= now)
        if self.interval:
            # Intervals go on from where they were, so that an outage shifts nothing.
            passed = (now - since) // self.interval
            return (since + passed * self.interval,) if passed else ()
        newest = next(self._cron(now + timedelta(seconds=1), reverse=True), None)
        return (newest,) if newest is not None and newest > since else ()

    def _cron(self, start: datetime, *, reverse: bool) -> Iterator[datetime]:
        from cronsim import CronSim

        with contextlib.suppress(OverflowError):  # the year 10000
            for moment in CronSim(self.fields, start.astimezone(self.zone), reverse):
                yield moment.astimezone(UTC)


def parse_schedule(text: str, zone: tzinfo = UTC) -> Schedule:
    """The schedule that a text describes.

    :param zone: of its fields, unless the text names one.
    :raises ScheduleError: when it is none.
    """
    from cronsim import CronSim, CronSimError

    words = text.split()
    if len(text) > _LONGEST or not words:
        raise ScheduleError("expected five fields such as '0 3 * * *', or '@every 1h'")
    name, _, area = words[0].partition("=")
    if name in ("TZ", "CRON_TZ") and area:
        zone, words = time_zone(area), words[1:]
    if words == ["@never"]:
        return Schedule()
    if words[:1] == ["@every"]:
        return Schedule(interval=_interval(words[1:]))
    fields = _NAMED.get(words[0], "") if len(words) == 1 else " ".join(words).replace("?", "*")
    if len(fields.split()) != 5:
        raise ScheduleError(
            f"expected five fields such as '0 3 * * *', or '@every 1h', got {text[:40]!r}"
        )
    try:
        CronSim(fields, datetime(2000, 1, 1, tzinfo=UTC))
    except (CronSimError, ValueError) as error:
        raise ScheduleError(f"{str(error).lower()} in {text[:40]!r}") from error
    return Schedule(fields=fields, zone=zone)


def time_zone(name: str) -> tzinfo:
    """The time zone of a name such as ``Europe/Berlin``.

    :raises ScheduleError: when there is none.
    """
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except (
        OSError,
        ValueError,
    ) as error:  # A name that is not found is a KeyError and a ValueError.
        raise ScheduleError(f"there is no time zone {name[:40]!r}") from error
    except KeyError as error:
        raise ScheduleError(f"there is no time zone {name[:40]!r}") from error


def parse_time(text: str) -> datetime:
    """A time by RFC 3339, in UTC and in whole seconds.

    :raises ScheduleError: when it is none.
    """
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is None:
            raise ValueError
        return found.astimezone(UTC).replace(microsecond=0)
    except (ValueError, OverflowError) as error:
        raise ScheduleError(
            f"expected a time by RFC 3339 such as 2026-12-01T00:00:00Z, got {text[:40]!r}"
        ) from error


def _interval(words: list[str]) -> timedelta:
    try:
        seconds = duration("".join(words))
    except ScalarError as error:
        raise ScheduleError(str(error)) from error
    if seconds < 1:
        raise ScheduleError("the shortest interval is 1s")
    return timedelta(seconds=int(seconds))
