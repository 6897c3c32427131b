"""Time that is left to a job of Slurm, as squeue(1) prints it."""

from __future__ import annotations

import re

_TIME = re.compile(r"(?:(?:(\d+)-)?(\d+):)?(\d+):(\d+)")


def seconds_left(text: str) -> float | None:
    """Seconds of a text such as ``1-02:03:04`` or ``5:00``; None for ``UNLIMITED`` and other words."""
    found = _TIME.fullmatch(text.strip())
    if found is None:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)
