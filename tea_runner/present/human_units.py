"""Durations, times and sizes as short texts."""

from __future__ import annotations

from datetime import UTC, datetime


def duration(seconds: float | None) -> str:
    """``0.4 s``, ``12 s``, ``2 min 10 s``, ``3 h 5 min``, ``2 d 4 h``; empty for None."""
    if seconds is None:
        return ""
    if seconds < 9.95:
        return f"{max(0.0, seconds):.1f} s"
    whole = round(seconds)
    for size, name, part, small in (
        (86_400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole >= size:
            rest = whole % size // part
            return f"{whole // size} {name}" + (f" {rest} {small}" if rest else "")
    return f"{whole} s"


def ago(moment: float, now: float) -> str:
    """``just now``, ``5 min ago``, ``3 d ago``; empty for 0."""
    if not moment:
        return ""
    passed = now - moment
    if passed < 10:
        return "just now"
    for size, name in ((86_400, "d"), (3600, "h"), (60, "min")):
        if passed >= size:
            return f"{int(passed // size)} {name} ago"
    return f"{int(passed)} s ago"


def moment(seconds: float) -> str:
    """``2026-03-01 12:30:05 UTC``; empty for 0."""
    stamp = instant(seconds)
    return stamp.replace("T", " ").replace("Z", " UTC")


def instant(seconds: float) -> str:
    """``2026-03-01T12:30:05Z`` (RFC 3339); empty for 0."""
    if not seconds:
        return ""
    return datetime.fromtimestamp(seconds, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def size(count: int | None) -> str:
    """``812 bytes``, ``4.1 MiB``; empty for None."""
    if count is None:
        return ""
    if count < 1024:
        return f"{count} byte" + ("" if count == 1 else "s")
    value = float(count)
    for unit in ("KiB", "MiB", "GiB"):
        value /= 1024
        if value < 1000:
            return f"{value:.1f} {unit}"
    return f"{value / 1024:.1f} TiB"
