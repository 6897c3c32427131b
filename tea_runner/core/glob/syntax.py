"""Parse Pachyderm's glob language into a tree.

Rules (pachyderm/ohmyglob): ``*`` any run without ``/``; ``**`` any run; ``?`` one character except
``/``; ``[…]`` a class; ``{a,b}`` alternatives; ``(a|b)`` = ``@(a|b)`` a capture; ``*( )``, ``+( )``,
``?( )`` repeated captures; ``!( )`` a capture of anything else; ``\\`` escapes a character.
A quantifier directly before ``(`` belongs to it, so ``**(`` is ``*`` followed by ``*(``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from tea_runner.core.errors import UserError

#: Characters with a special meaning.
SPECIAL = frozenset("*?[]{}()!@+^|,\\")
#: Most levels of nested groups.
MAX_NESTING = 20

_POSIX = {
    "alnum": "09AZaz",
    "alpha": "AZaz",
    "ascii": "\x00\x7f",
    "blank": "\t\t  ",
    "cntrl": "\x00\x1f\x7f\x7f",
    "digit": "09",
    "graph": "!~",
    "lower": "az",
    "print": " ~",
    "punct": "!/:@[`{~",
    "space": "\t\r  ",
    "upper": "AZ",
    "word": "09AZaz__",
    "xdigit": "09AFaf",
}


class GlobError(UserError):
    """The glob is invalid."""


@dataclass(frozen=True, slots=True)
class Text:
    """Literal characters."""

    text: str


@dataclass(frozen=True, slots=True)
class Star:
    """``*``, or ``**`` if *slashes* match too."""

    slashes: bool = False


@dataclass(frozen=True, slots=True)
class One:
    """``?``: one character except ``/``."""


@dataclass(frozen=True, slots=True)
class Class:
    """``[…]``: one character in these ranges, or, if *negated*, in none of them."""

    ranges: tuple[tuple[str, str], ...]
    negated: bool = False

    def has(self, character: str) -> bool:
        """Whether the character belongs to the class."""
        return any(low <= character <= high for low, high in self.ranges) != self.negated


@dataclass(frozen=True, slots=True)
class Braces:
    """``{a,b}``: alternatives without a capture."""

    alternatives: tuple[Pattern, ...]


Quantifier = Literal["@", "*", "+", "?", "!"]


@dataclass(frozen=True, slots=True)
class Group:
    """``@(a|b)``, ``*(…)``, …: a capture; *number* counts opening parentheses from 1."""

    number: int
    quantifier: Quantifier
    alternatives: tuple[Pattern, ...]


Part = Text | Star | One | Class | Braces | Group
Pattern = tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class ParsedGlob:
    """A glob as a tree, and facts about the whole glob."""

    pattern: Pattern
    groups: int
    #: Whether ``!(p)`` rejects only what p matches up to the end of the path.  That holds if neither
    #: text nor a star follows the first ``!( )``; otherwise ``!(p)`` rejects what begins with p.
    negation_to_end: bool


@dataclass(slots=True)
class _OpenGroup:
    """A group or brace whose end has not been read yet."""

    at: int
    closer: str
    number: int = 0
    quantifier: Quantifier = "@"
    done: list[Pattern] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)

    def end_alternative(self) -> None:
        self.done.append(tuple(self.parts))
        self.parts = []


def parse_glob(text: str) -> ParsedGlob:
    """Parse a glob.

    :raises GlobError: with the position and what to write instead.
    """
    return _GlobReader(text).read()


class _GlobReader:
    """Recursive structure from one pass over the text, with a stack of open groups."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.groups = 0
        self.stack = [_OpenGroup(0, "")]
        self.negation_ended = False
        self.bounded = False

    def read(self) -> ParsedGlob:
        while self.position < len(self.text):
            self._step()
        top = self.stack[-1]
        if top.closer:
            raise self._error(
                f"{self.text[top.at]!r} is not closed; write {top.closer!r}, "
                f"or '\\{self.text[top.at]}' for the character itself",
                top.at,
            )
        return ParsedGlob(tuple(top.parts), self.groups, self.negation_ended and not self.bounded)

    def _error(self, problem: str, at: int | None = None) -> GlobError:
        position = self.position if at is None else at
        return GlobError(f"glob {self.text!r}, character {position + 1}: {problem}")

    def _step(self) -> None:
        text, at = self.text, self.position
        character, following = text[at], text[at + 1 : at + 2]
        top = self.stack[-1]
        if character == "(":
            self._open("@", 1)
        elif character in "@+?!*" and following == "(":
            self._open(character, 2)  # type: ignore[arg-type]
        elif character == "*":
            # A star directly before "(" binds to it: ``**(`` is ``*`` and ``*(``.
            double = following == "*" and text[at + 2 : at + 3] != "("
            self._add(Star(slashes=double), 2 if double else 1)
        elif character == "?":
            self._add(One(), 1)
        elif character == "[":
            self._class()
        elif character == "{":
            self._push(_OpenGroup(at, "}"), 1)
        elif character == top.closer:
            self._close(top)
        elif (character, top.closer) in ((",", "}"), ("|", ")")):
            top.end_alternative()
            self.position += 1
        elif character == "^" and following == "(":
            raise self._error("'^(' has no meaning; write '!(' to match anything else")
        elif character == "\\":
            if not following:
                raise self._error("a backslash at the end escapes no character; write '\\\\'")
            self._literal(following, 2)
        else:
            self._literal(character, 1)

    def _literal(self, character: str, width: int) -> None:
        parts = self.stack[-1].parts
        if parts and isinstance(parts[-1], Text):
            parts[-1] = Text(parts[-1].text + character)
            self.bounded = self.bounded or self.negation_ended
            self.position += width
        else:
            self._add(Text(character), width)

    def _add(self, part: Part, width: int) -> None:
        if isinstance(part, Text | Star) and self.negation_ended:
            self.bounded = True
        self.stack[-1].parts.append(part)
        self.position += width

    def _push(self, opened: _OpenGroup, width: int) -> None:
        if len(self.stack) > MAX_NESTING:
            raise self._error(f"groups are nested deeper than {MAX_NESTING}")
        self.stack.append(opened)
        self.position += width

    def _open(self, quantifier: Quantifier, width: int) -> None:
        self.groups += 1
        self._push(_OpenGroup(self.position + width - 1, ")", self.groups, quantifier), width)

    def _close(self, top: _OpenGroup) -> None:
        top.end_alternative()
        self.stack.pop()
        alternatives = tuple(top.done)
        if top.closer == "}":
            self._add(Braces(alternatives), 1)
        else:
            self._add(Group(top.number, top.quantifier, alternatives), 1)
            if top.quantifier == "!":
                self.negation_ended = True

    def _class(self) -> None:
        start = self.position
        at = start + 1
        negated = False
        members: list[tuple[str, bool]] = []  # character, whether it was escaped
        ranges: list[tuple[str, str]] = []
        text = self.text
        if text[at : at + 1] in ("!", "^"):
            negated = True
            at += 1
        while at < len(text) and text[at] != "]":
            if text[at] == "\\" and at + 1 < len(text):
                members.append((text[at + 1], True))
                at += 2
            elif text.startswith("[:", at) and (end := text.find(":]", at)) > 0:
                name = text[at + 2 : end]
                if name.startswith(("^", "!")):
                    name, negated = name[1:], True
                if name not in _POSIX:
                    raise self._error(
                        f"unknown class [:{name}:]; valid are {', '.join(_POSIX)}", at
                    )
                bounds = _POSIX[name]
                ranges += zip(bounds[::2], bounds[1::2], strict=True)
                # In Pachyderm's engine such a class also matches the inner brackets.
                ranges += [("[", "["), ("]", "]")]
                at = end + 2
            elif text[at] == "[":
                raise self._error("write '\\[' for a '[' within a class", at)
            elif text[at] in "!^":
                raise self._error(
                    f"{text[at]!r} within a class; write it first to negate the class, "
                    f"or '\\{text[at]}' for the character itself",
                    at,
                )
            else:
                members.append((text[at], False))
                at += 1
        if at >= len(text):
            raise self._error("'[' is not closed; write ']', or '\\[' for the character", start)
        ranges += self._ranges(members, start)
        if not ranges:
            raise self._error("an empty class matches nothing; write '\\]' for the bracket", start)
        self._add(Class(tuple(ranges), negated), at + 1 - start)

    def _ranges(self, members: list[tuple[str, bool]], start: int) -> list[tuple[str, str]]:
        ranges = []
        index = 0
        while index < len(members):
            low = members[index][0]
            if index + 2 < len(members) and members[index + 1] == ("-", False):
                high = members[index + 2][0]
                if high < low:
                    raise self._error(f"the range {low}-{high} is empty; write {high}-{low}", start)
                ranges.append((low, high))
                index += 3
            else:
                ranges.append((low, low))
                index += 1
        return ranges


def quote(path: str) -> str:
    """Escape a path to a glob that matches only this path."""
    return "".join("\\" + character if character in SPECIAL else character for character in path)
