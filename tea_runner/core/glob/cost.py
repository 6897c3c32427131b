"""A parsed glob in, how much the ``re`` module may have to do for a path out; and how deep it reaches.

A pattern with n stars may be tried in about Lⁿ/n! ways on L characters before it is given up.  Between
two slashes a star reaches no further than the slash, so each part of a path counts for itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import factorial

from tea_runner.core.glob.syntax import Class, Group, One, Part, Pattern, Star, Text

#: Ways that ``re`` may be let try on one path, a few milliseconds' worth at the very worst.
WAYS = 300_000
#: Longer paths than git itself handles.
LONGEST_PATH = 4096


@dataclass(frozen=True, slots=True)
class Cost:
    """How many parts of any length there are, and in how many ways the others can be chosen."""

    stars: int = 0
    choices: int = 1

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.stars + other.stars, min(self.choices * other.choices, WAYS + 1))


def split_pattern(pattern: Pattern) -> list[Pattern] | None:
    """The pattern between its slashes; None where something may match across them."""
    segments: list[list[Part]] = [[]]
    for part in pattern:
        if isinstance(part, Text):
            first, *rest = part.text.split("/")
            if first:
                segments[-1].append(Text(first))
            segments += [[Text(text)] if text else [] for text in rest]
        elif reach((part,)) != 0:
            return None
        else:
            segments[-1].append(part)
    return [tuple(segment) for segment in segments]


def reach(pattern: Pattern) -> int | None:
    """How many slashes a match can hold at most; None without a limit."""
    total = 0
    for part in pattern:
        inner = _reach(part)
        if inner is None:
            return None
        total += inner
    return total


def _reach(part: Part) -> int | None:
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
        inner = reach(alternative)
        if inner is None:
            # What ``!( )`` refuses is not what it matches, but it may look beyond a slash.
            return None
        most = max(most, inner)
    if isinstance(part, Group) and part.quantifier in "*+" and most:
        return None
    return most


def depth(pattern: Pattern) -> int | None:
    """Most parts of a path that matches; None without a limit."""
    total = 0
    for part in pattern:
        inner = 0 if isinstance(part, Group) and part.quantifier == "!" else _reach(part)
        if inner is None:
            return None
        total += inner
    return total


def longest_for_re(pattern: Pattern) -> int:
    """Most characters between two slashes with which ``re`` keeps within :data:`WAYS`; 0 for none."""
    cost = Cost()
    for part in pattern:
        inner = _cost(part)
        if inner is None:
            return 0
        cost += inner
    if cost.choices > WAYS:
        return 0
    if cost.stars == 0:
        return LONGEST_PATH
    ways = WAYS / cost.choices * factorial(cost.stars)
    return min(LONGEST_PATH, int(ways ** (1 / cost.stars)))


def _cost(part: Part) -> Cost | None:
    if isinstance(part, Text | One | Class):
        return Cost()
    if isinstance(part, Star):
        return Cost(1)
    if isinstance(part, Group) and part.quantifier in "*+":
        # One character a turn, in one way: as cheap as a star.
        return Cost(1) if _takes_one(part.alternatives) else None
    total = Cost(choices=len(part.alternatives))
    if isinstance(part, Group):
        total += {"@": Cost(), "?": Cost(choices=2), "!": Cost(1)}[part.quantifier]
    for alternative in part.alternatives:
        for inner in alternative:
            cost = _cost(inner)
            if cost is None:
                return None
            total += cost
    return total


def _takes_one(alternatives: tuple[Pattern, ...]) -> bool:
    if any(len(pattern) != 1 for pattern in alternatives):
        return False
    firsts = [pattern[0] for pattern in alternatives]
    if len(firsts) == 1:
        only = firsts[0]
        return isinstance(only, One | Class) or (isinstance(only, Text) and len(only.text) == 1)
    texts = [part.text for part in firsts if isinstance(part, Text)]
    return len(set(texts)) == len(firsts) and all(len(text) == 1 for text in texts)


def first_text(pattern: Pattern) -> str:
    """What every match begins with."""
    return pattern[0].text if pattern and isinstance(pattern[0], Text) else ""
