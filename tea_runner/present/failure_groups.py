"""Failures with the same cause together: those whose last lines differ in numbers and paths only."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

#: What differs between datums that fail alike.
_VARIES = re.compile(r"""[\w.~-]*/[\w./~-]+|(['"]).*?['"]|\b[0-9a-f]{8,}\b|[\w-]+\.\w{2,5}\b|\d+""")


@dataclass(frozen=True, kw_only=True)
class FailureGroup:
    """Failures with one cause."""

    #: The error of the first of them.
    error: str
    number: int
    #: Labels of some of them.
    labels: tuple[str, ...]
    #: A part of the error that all of them have; empty where there is none.
    common: str


def _is_text(part: str) -> bool:
    """Whether it can be in a URL, and is more than a few characters."""
    return part.isprintable() and len(part.strip()) > 3


def failure_groups(failures: Iterable[tuple[str, str]], most: int = 10) -> list[FailureGroup]:
    """Groups of (label, error), the largest first.

    :param most: number of groups that are returned.
    """
    groups: dict[str, list[tuple[str, str]]] = {}
    for label, error in failures:
        said = error[:500] or "unknown error"
        groups.setdefault(_VARIES.sub("…", said), []).append((label, said))
    ordered = sorted(groups.items(), key=lambda each: -len(each[1]))
    return [
        FailureGroup(
            error=rows[0][1],
            number=len(rows),
            labels=tuple(label for label, _ in rows[:3]),
            common=max(filter(_is_text, pattern.split("…")), key=len, default="").strip(),
        )
        for pattern, rows in ordered[:most]
    ]
