"""Names of ticks: RFC 3339 times in UTC, without a part of a second, which sort by time."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime

#: An entry of a label that is a tick: ``name:time``.
_ENTRY = re.compile(
    r"([A-Za-z0-9_-]{1,63}):([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)"
)


def tick_name(moment: datetime) -> str:
    """The name of the tick at a time."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def tick_time(name: str) -> datetime:
    """The time of a tick.

    :raises ValueError: when it is no name of a tick.
    """
    return datetime.strptime(name, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def tick_entries(label: str) -> list[str]:
    """The entries of a label that may be ticks: ``name:time``."""
    return [entry for entry in label.split(" ") if _ENTRY.fullmatch(entry)]


def ticks_by_input(labels: Iterable[str]) -> dict[str, list[str]]:
    """What labels of datums name as ticks, by name of the input.

    A file of another input may have such a name: the caller knows which inputs are schedules.
    """
    found: dict[str, dict[str, None]] = {}
    for label in labels:
        for entry in tick_entries(label):
            name, _, tick = entry.partition(":")
            found.setdefault(name, {})[tick] = None
    return {name: list(ticks) for name, ticks in found.items()}
