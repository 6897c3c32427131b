"""Facts about a parsed glob that are known before any path is matched.

They prune the listing (literal prefix, greatest depth), shape the regular expression (segments
between slashes), and tell whether a match may need a time limit.
"""

from __future__ import annotations

from itertools import chain

from tea_runner.core.glob.syntax import Braces, Class, Group, One, Part, Pattern, Star, Text

#: Stars in one segment up to which a match takes at most about (length of the path)² steps.
CHEAP_STARS = 2
#: Combinations of alternatives in one segment that are each tried as cheaply.
CHEAP_CHOICES = 8


def split_pattern(pattern: Pattern) -> list[Pattern] | None:
    """The pattern's segments between slashes; None when some part can match across a slash."""
    segments: list[list[Part]] = [[]]
    for part in pattern:
        if isinstance(part, Text):
            first, *rest = part.text.split("/")
            if first:
                segments[-1].append(Text(first))
            segments += [[Text(text)] if text else [] for text in rest]
        elif max_slashes((part,)) != 0:
            return None
        else:
            segments[-1].append(part)
    return [tuple(segment) for segment in segments]


def leading_segments(pattern: Pattern) -> list[Pattern]:
    """The pattern's segments between slashes that come before a part that can match across a slash."""
    crossing = (
        number
        for number, part in enumerate(pattern)
        if not isinstance(part, Text) and max_slashes((part,)) != 0
    )
    end = next(crossing, len(pattern))
    segments = split_pattern(pattern[:end]) or []
    # The segment that such a part belongs to is left out.
    return segments if end == len(pattern) else segments[:-1]


def max_slashes(pattern: Pattern) -> int | None:
    """The most slashes that a match can contain; None without a limit."""
    total = 0
    for part in pattern:
        slashes = _max_slashes(part)
        if slashes is None:
            return None
        total += slashes
    return total


def _max_slashes(part: Part) -> int | None:
    if isinstance(part, Text):
        return part.text.count("/")
    if isinstance(part, Star):
        return None if part.slashes else 0
    if isinstance(part, One):
        return 0
    if isinstance(part, Class):
        return 1 if part.has("/") else 0
    most = 0
    for alternative in part.alternatives:
        slashes = max_slashes(alternative)
        if slashes is None:
            # For ``!( )`` too: its match has no slash, but its alternatives are tried beyond one.
            return None
        most = max(most, slashes)
    if isinstance(part, Group) and part.quantifier in "*+" and most:
        return None
    return most


def max_depth(pattern: Pattern) -> int | None:
    """The most slashes in the path of a match; None without a limit."""
    total = 0
    for part in pattern:
        negated = isinstance(part, Group) and part.quantifier == "!"
        slashes = 0 if negated else _max_slashes(part)
        if slashes is None:
            return None
        total += slashes
    return total


def is_cheap(segment: Pattern) -> bool:
    """Whether a match cannot take long: few stars, few alternatives, no repeated groups."""
    stars, choices = 0, 1
    for part in segment:
        alternatives: tuple[Pattern, ...] = ((part,),)
        if isinstance(part, Braces) or (isinstance(part, Group) and part.quantifier == "@"):
            alternatives = part.alternatives
        choices *= len(alternatives)
        for each in chain.from_iterable(alternatives):
            if not isinstance(each, Text | One | Class | Star):
                return False
            stars += isinstance(each, Star)
    return stars <= CHEAP_STARS and choices <= CHEAP_CHOICES


def literal_prefix(pattern: Pattern) -> str:
    """The text that every match begins with."""
    return pattern[0].text if pattern and isinstance(pattern[0], Text) else ""
