"""What was measured of the datums of a job, for people; nothing is decided by it.

None of it is in keys, records or results, which depend on inputs and code only.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple


class DatumMeasures(NamedTuple):
    """One datum; in JSON a list in this order.  None is what was not measured."""

    key: str
    #: Seconds of its command, with all tries and the error handler.
    seconds: float | None = None
    #: Seconds of processor time of the command and its children.
    cpu: float | None = None
    #: Largest memory of all processes of the command together, in bytes.
    memory: int | None = None
    #: Bytes of its inputs and of its outputs.
    read: int | None = None
    written: int | None = None
    #: Limit of memory, in bytes, with which it ran again after a smaller one was not enough.
    raised_memory: int | None = None


def format_measures(rows: Iterable[DatumMeasures]) -> str:
    """As JSON text."""
    return json.dumps([_as_list(row) for row in rows], separators=(",", ":"))


def _as_list(row: DatumMeasures) -> list[object]:
    # Without the last field the rows are those of former versions, which read no other.
    return list(row if row.raised_memory is not None else row[:-1])


def parse_measures(text: str | bytes) -> list[DatumMeasures]:
    """From JSON text; rows that are none are left out."""
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError):
        return []
    if not isinstance(rows, list):
        return []
    return [DatumMeasures(*row) for row in rows if _is_row(row)]


def _is_row(row: Any) -> bool:
    if not isinstance(row, list) or not 0 <= len(DatumMeasures._fields) - len(row) <= 1:
        return False
    key, *numbers = row
    return isinstance(key, str) and all(each is None or _is_number(each) for each in numbers)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e18
