"""Match paths against Pachyderm globs, and fill templates such as ``$1`` from the captures.

The language is described in :mod:`tea_runner.core.glob.syntax`.  Paths begin with ``/``; the root is
``/``, and only the glob ``/`` matches it.
"""

from __future__ import annotations

import re

import regex

from tea_runner.core.glob.analysis import is_cheap, literal_prefix, max_depth, split_pattern
from tea_runner.core.glob.syntax import GlobError, parse_glob, quote
from tea_runner.core.glob.translate import leading_patterns, segment_patterns, translate

__all__ = ["MAX_LENGTH", "SLOW_MATCHES", "Glob", "GlobError", "clean", "expand", "quote"]

#: Longest glob, in characters.
MAX_LENGTH = 512
#: Processor time in seconds above which the match of one path is slow; usual ones take a microsecond.
SLOW_SECONDS = 0.0002
#: Processor time in seconds that a slow match may take.
MATCH_SECONDS = 0.02
#: Slow matches that a glob may need in all: ten seconds at most.
SLOW_MATCHES = 500

_REFERENCE = re.compile(r"\$(?:\$|([0-9]+)|\{([0-9]+)\})")


class Glob:
    """A compiled glob.

    :raises GlobError: when the text is not a glob.
    """

    __slots__ = ("_limited", "_match", "_named", "_parsed", "_segments", "_slow", "pattern")

    def __init__(self, pattern: str) -> None:
        if len(pattern) > MAX_LENGTH:
            raise GlobError(
                f"glob {pattern[:20]!r}… has {len(pattern)} characters, and at most {MAX_LENGTH} "
                f"are allowed"
            )
        #: The text with a leading ``/`` and without a trailing one.
        self.pattern = clean(pattern)
        self._parsed = parse_glob(self.pattern)
        segments = split_pattern(self._parsed.pattern) or [self._parsed.pattern]
        self._segments: list[regex.Pattern[str] | None] | None = None
        self._named: tuple[list[regex.Pattern[str] | None], bool] | None = None
        #: Whether matches have a time limit; to check the time takes as long as a cheap match.
        self._limited = not all(map(is_cheap, segments))
        self._slow = 0
        self._match = regex.compile(translate(self._parsed), regex.DOTALL).match

    def __repr__(self) -> str:
        return f"Glob({self.pattern!r})"

    def match(self, path: str) -> tuple[str, ...] | None:
        """The captures ``$0``, ``$1``, … of a path, or None when it does not match.

        *path* has a leading ``/``; a trailing one, as directories have it, is ignored.

        :raises GlobError: when the match takes more than :data:`MATCH_SECONDS`, or is the last of
            too many slow ones.
        """
        path = path.rstrip("/") or "/"
        if path == "/" and self.pattern != "/":
            return None
        found = self._match_limited(path) if self._limited else self._match(path)
        return None if found is None else (path, *(text or "" for text in found.groups()))

    def _match_limited(self, path: str) -> regex.Match[str] | None:
        try:
            return self._match(path, timeout=SLOW_SECONDS)
        except TimeoutError:
            self._slow += 1
        try:
            if self._slow > SLOW_MATCHES:
                raise TimeoutError
            return self._match(path, timeout=MATCH_SECONDS)
        except TimeoutError as error:
            raise GlobError(
                f"glob {self.pattern!r} takes too long to match {path[:80]!r}; use fewer stars and "
                f"alternatives, and no repeated groups inside repeated groups"
            ) from error

    def reaches(self, path: str) -> bool:
        """Whether it may match a directory, one above it, or something below it.

        False only where it is certain that nothing of that kind matches.

        :param path: of the directory, with a leading ``/``.
        :raises GlobError: as :meth:`match` does.
        """
        above = path
        while above:
            if self.match(above) is not None:
                return True
            above = above.rpartition("/")[0]
        if self.match("/") is not None:
            return True
        if self._segments is None:
            self._segments = segment_patterns(self._parsed)
        parts = path.split("/")
        if not self._segments:
            prefix = self.literal_prefix
            return f"{path}/".startswith(prefix) or prefix.startswith(f"{path}/")
        return len(parts) < len(self._segments) and all(
            segment is None or segment.fullmatch(part) is not None
            for part, segment in zip(parts, self._segments, strict=False)
        )

    def goes_below(self, path: str) -> bool:
        """Whether it may match something below a directory by parts that name each folder on the way.

        ``**`` goes through folders without naming them.

        :param path: of the directory, with a leading ``/``.
        """
        if self._named is None:
            self._named = leading_patterns(self._parsed)
        parts = path.split("/")
        patterns, rest = self._named
        return len(parts) < len(patterns) + rest and all(
            part is None or part.fullmatch(name) is not None
            for part, name in zip(patterns, parts, strict=False)
        )

    @property
    def captures(self) -> int:
        """The number of captures besides ``$0``."""
        return self._parsed.groups

    @property
    def literal_prefix(self) -> str:
        """The text that every match begins with, including the leading ``/``."""
        return literal_prefix(self._parsed.pattern)

    @property
    def max_depth(self) -> int | None:
        """The most parts in the path of a match; None without a limit."""
        return max_depth(self._parsed.pattern)


def clean(pattern: str) -> str:
    """Normalize a glob: a leading ``/``, no trailing one, no ``.``, ``..`` and no empty parts.

    :raises GlobError: when it leaves the dataset or names git's own files.
    """
    written = [part for part in pattern.split("/") if part not in ("", ".")]
    parts: list[str] = []
    for part in written:
        if part != "..":
            parts.append(part)
        elif parts and not _OPEN.isdisjoint(parts[-1]):
            # A slash within a group does not end a part of the path.
            raise GlobError(
                f"glob {pattern!r}: '..' cannot follow a group; write the path without it"
            )
        elif parts:
            parts.pop()
        else:
            raise _outside(pattern)
    if ".git" in written or parts[:1] == ["~"]:
        raise _outside(pattern)
    return "/" + "/".join(parts)


#: Characters with which a part may belong to something larger than a part.
_OPEN = frozenset("(){}[]|,\\")


def _outside(pattern: str) -> GlobError:
    return GlobError(
        f"glob {pattern!r} must stay inside the dataset; "
        f"write it relative to the input's directory, such as '/*'"
    )


def expand(template: str, captures: tuple[str, ...]) -> str:
    """Replace ``$1`` or ``${1}`` by captures and ``$$`` by a dollar sign.

    A missing capture is empty; ``$`` before any other character is literal.
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
