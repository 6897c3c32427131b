"""A glob and a path in, the path's captures out, or nothing where it does not match.

The language is Pachyderm's (see :mod:`tea_runner.core.glob.syntax`).  Paths begin with ``/``; the
root is ``/``, and only the glob ``/`` matches it.
"""

from __future__ import annotations

import re

from tea_runner.core.glob.bounded_matcher import Bounded
from tea_runner.core.glob.cost import depth, first_text, longest_for_re, split_pattern
from tea_runner.core.glob.instructions import Program
from tea_runner.core.glob.regex import source
from tea_runner.core.glob.syntax import GlobError, parse_glob, quote

__all__ = ["LONGEST", "Glob", "GlobError", "clean", "expand", "quote"]

#: Characters in a glob.
LONGEST = 512

_REFERENCE = re.compile(r"\$(?:\$|([0-9]+)|\{([0-9]+)\})")


class Glob:
    """A glob that has been understood.

    :raises GlobError: when it has not.
    """

    __slots__ = ("_bounded", "_find", "_longest", "_parsed", "_whole", "pattern")

    def __init__(self, pattern: str) -> None:
        if len(pattern) > LONGEST:
            raise GlobError(
                f"glob {pattern[:20]!r}… has {len(pattern)} characters; at most {LONGEST} are read"
            )
        #: The glob as it is matched: with a leading ``/`` and without a trailing one.
        self.pattern = clean(pattern)
        self._parsed = parse_glob(self.pattern)
        segments = split_pattern(self._parsed.pattern)
        #: Whether a star may reach across slashes, so that the path counts as a whole.
        self._whole = segments is None
        #: Longest (part of a) path with which ``re`` cannot take long.
        self._longest = min(map(longest_for_re, segments or [self._parsed.pattern]))
        self._find = re.compile(source(self._parsed), re.DOTALL).match if self._longest else None
        self._bounded: Bounded | None = None

    def __repr__(self) -> str:
        return f"Glob({self.pattern!r})"

    def match(self, path: str) -> tuple[str, ...] | None:
        """``$0``, ``$1``, … of a path, or None.

        *path* has a leading ``/``; a trailing one, as directories have it, makes no difference.
        A match takes time in proportion to the path, or a bounded number of steps besides.

        :raises GlobError: when the glob is so intricate that all its matches together would take
            more than :data:`~tea_runner.core.glob.bounded_matcher.BUDGET` steps.
        """
        path = path.rstrip("/") or "/"
        if path == "/" and self.pattern != "/":
            return None
        if self._find is None or (len(path) > self._longest and self._is_long(path)):
            return self._match_bounded(path)
        found = self._find(path)
        return None if found is None else (path, *(text or "" for text in found.groups()))

    def _is_long(self, path: str) -> bool:
        return self._whole or max(map(len, path.split("/"))) > self._longest

    def _match_bounded(self, path: str) -> tuple[str, ...] | None:
        if self._bounded is None:
            self._bounded = Bounded(Program(self._parsed), self.pattern)
        if self._parsed.groups == 0:
            return (path,) if self._bounded.matches(path) else None
        return self._bounded.captures(path)

    @property
    def captures(self) -> int:
        """How many captures it makes besides ``$0``."""
        return self._parsed.groups

    @property
    def literal_prefix(self) -> str:
        """What all matches begin with, a leading ``/`` included."""
        return first_text(self._parsed.pattern)

    @property
    def max_depth(self) -> int | None:
        """Most parts that the path of a match has; None where there is no limit."""
        return depth(self._parsed.pattern)


def clean(pattern: str) -> str:
    """The glob with a leading ``/``, without a trailing one, without ``.`` and empty parts.

    :raises GlobError: when it leads out of the dataset or into git's own files.
    """
    parts = [part for part in pattern.split("/") if part not in ("", ".")]
    if any(part in ("..", ".git") for part in parts) or parts[:1] == ["~"]:
        raise GlobError(
            f"glob {pattern!r} must stay inside the dataset; "
            f"write it from the input's top, such as '/*'"
        )
    return "/" + "/".join(parts)


def expand(template: str, captures: tuple[str, ...]) -> str:
    """The template with ``$1`` or ``${1}`` replaced by captures and ``$$`` by a dollar sign.

    A capture that the glob does not make is empty; a ``$`` before anything else stands for itself.
    """

    def value(reference: re.Match[str]) -> str:
        digits = reference[1] or reference[2]
        if digits is None:
            return "$"
        number = int(digits) if len(digits) < 9 else len(captures)
        return captures[number] if number < len(captures) else ""

    return _REFERENCE.sub(value, template)


def references(template: str) -> tuple[int, ...]:
    """The numbers of the captures that a template uses."""
    return tuple(
        int(found[1] or found[2]) for found in _REFERENCE.finditer(template) if found[0] != "$$"
    )
