"""A parsed glob in, a regular expression of the ``re`` module out."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tea_runner.core.glob.cost import split_pattern
from tea_runner.core.glob.syntax import Braces, Class, One, ParsedGlob, Part, Pattern, Star, Text


def source(parsed: ParsedGlob) -> str:
    """The regular expression of a glob; its groups have the numbers of the glob's captures.

    Where nothing matches across a slash, what lies between two of them is settled once and for all
    (an atomic group), so that stars of different directories do not multiply.
    """
    segments = split_pattern(parsed.pattern)
    if segments is None:
        return rf"\A{_pattern(parsed.pattern, parsed)}\Z"
    settled = (rf"(?>{_pattern(segment, parsed)}(?=/|\Z))" for segment in segments)
    return rf"\A{'/'.join(settled)}\Z"


def _pattern(pattern: Pattern, parsed: ParsedGlob) -> str:
    return "".join(_part(part, parsed) for part in pattern)


def _alternatives(patterns: Iterable[Pattern], parsed: ParsedGlob, after: str = "") -> str:
    return "|".join(_pattern(pattern, parsed) + after for pattern in patterns)


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
        refused = _alternatives(part.alternatives, parsed, end)
        return f"((?:(?!(?:{refused}))[^/]*))"
    return f"((?:{_alternatives(part.alternatives, parsed)}){part.quantifier})"


def _class(part: Class) -> str:
    inside = "".join(
        re.escape(low) if low == high else f"{re.escape(low)}-{re.escape(high)}"
        for low, high in part.ranges
    )
    return f"[{'^' if part.negated else ''}{inside}]"
