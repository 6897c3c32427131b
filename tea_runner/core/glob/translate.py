"""Translate a parsed glob to a regular expression."""

from __future__ import annotations

import re
from collections.abc import Iterable

import regex

from tea_runner.core.glob.analysis import is_cheap, leading_segments, split_pattern
from tea_runner.core.glob.syntax import Braces, Class, One, ParsedGlob, Part, Pattern, Star, Text


def translate(parsed: ParsedGlob) -> str:
    """The regular expression of a glob; its groups have the numbers of the glob's captures.

    If no part can match across a slash, each segment of the path becomes an atomic group, so that
    the ways to match different segments do not multiply.
    """
    segments = split_pattern(parsed.pattern)
    if segments is None:
        return rf"\A{_pattern(parsed.pattern, parsed)}\Z"
    atomic = (rf"(?>{_pattern(segment, parsed)}(?=/|\Z))" for segment in segments)
    return rf"\A{'/'.join(atomic)}\Z"


def segment_patterns(parsed: ParsedGlob) -> list[regex.Pattern[str] | None]:
    """The regular expression of each part of a path; None for a part that is not cheap to match.

    Empty when some part of the glob can match across a slash.
    """
    segments = split_pattern(parsed.pattern) or ()
    return [
        regex.compile(_pattern(segment, parsed), regex.DOTALL) if is_cheap(segment) else None
        for segment in segments
    ]


def leading_patterns(parsed: ParsedGlob) -> tuple[list[regex.Pattern[str] | None], bool]:
    """As :func:`segment_patterns`, for the parts before one that can match across a slash.

    Second, whether there is such a part.
    """
    patterns = [
        regex.compile(_pattern(segment, parsed), regex.DOTALL) if is_cheap(segment) else None
        for segment in leading_segments(parsed.pattern)
    ]
    return patterns, split_pattern(parsed.pattern) is None


def _pattern(pattern: Pattern, parsed: ParsedGlob) -> str:
    return "".join(_part(part, parsed) for part in pattern)


def _alternatives(patterns: Iterable[Pattern], parsed: ParsedGlob, suffix: str = "") -> str:
    return "|".join(_pattern(pattern, parsed) + suffix for pattern in patterns)


def _part(part: Part, parsed: ParsedGlob) -> str:
    if isinstance(part, Text):
        return re.escape(part.text)
    if isinstance(part, Star):
        return r".*" if part.slashes else r"[^/]*"
    if isinstance(part, One):
        return r"[^/]"
    if isinstance(part, Class):
        return _class(part)
    if isinstance(part, Braces):
        return f"(?:{_alternatives(part.alternatives, parsed)})"
    if part.quantifier == "@":
        return f"({_alternatives(part.alternatives, parsed)})"
    if part.quantifier == "!":
        end = r"\Z" if parsed.negation_to_end else ""
        rejected = _alternatives(part.alternatives, parsed, end)
        return f"((?:(?!(?:{rejected}))[^/]*))"
    return f"((?:{_alternatives(part.alternatives, parsed)}){part.quantifier})"


def _class(part: Class) -> str:
    ranges = "".join(
        re.escape(low) if low == high else f"{re.escape(low)}-{re.escape(high)}"
        for low, high in part.ranges
    )
    return f"[{'^' if part.negated else ''}{ranges}]"
