"""A parsed glob in, a small program out: what the bounded matchers run.

Each instruction has a number; a number stands for all that is still to be matched from there on.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tea_runner.core.glob.syntax import (
    Braces,
    Class,
    Group,
    One,
    ParsedGlob,
    Part,
    Pattern,
    Star,
    Text,
)

#: A character that a place accepts: that one; any; any but ``/``; one of a class.
ANY, NO_SLASH = "any", "no slash"


@dataclass(slots=True)
class TakeCharacter:
    """Take one character, then go on at *then*."""

    accepts: str | Class
    then: int = 0

    def hits(self, character: str) -> bool:
        """Whether it takes this character."""
        if isinstance(self.accepts, Class):
            return self.accepts.has(character)
        if len(self.accepts) == 1:
            return character == self.accepts
        return self.accepts == ANY or character != "/"


@dataclass(slots=True)
class Fork:
    """Go on at each of these, the first one first."""

    ways: list[int] = field(default_factory=list)


@dataclass(slots=True)
class MarkCapture:
    """Note the position in a slot, then go on."""

    slot: int
    then: int = 0


@dataclass(slots=True)
class RepeatGuard:
    """The end of a loop's body: once more from *loop*, but not after a turn that took nothing."""

    slot: int
    loop: int
    then: int = 0


@dataclass(slots=True)
class RejectIf:
    """Go on unless the program at *what* matches from here."""

    what: int
    then: int = 0


@dataclass(slots=True)
class Accept:
    """A match: at the end of the path, or wherever this is reached."""

    anywhere: bool = False


Step = TakeCharacter | Fork | MarkCapture | RepeatGuard | RejectIf | Accept


class Program:
    """The steps of a glob, beginning with number :attr:`start`.

    Slots 2n and 2n+1 hold where capture n begins and ends; further slots belong to loops.
    """

    def __init__(self, parsed: ParsedGlob) -> None:
        self.steps: list[Step] = []
        self.groups = parsed.groups
        self.slots = 2 * (parsed.groups + 1)
        self._to_end = parsed.negation_to_end
        self.start = self._pattern(parsed.pattern, self._step(Accept()))

    def _step(self, step: Step) -> int:
        self.steps.append(step)
        return len(self.steps) - 1

    def _pattern(self, pattern: Pattern, then: int) -> int:
        """The steps of a pattern, written from its end to its beginning."""
        for part in reversed(pattern):
            then = self._part(part, then)
        return then

    def _part(self, part: Part, then: int) -> int:
        if isinstance(part, Text):
            for character in reversed(part.text):
                then = self._step(TakeCharacter(character, then))
            return then
        if isinstance(part, One):
            return self._step(TakeCharacter(NO_SLASH, then))
        if isinstance(part, Class):
            return self._step(TakeCharacter(part, then))
        if isinstance(part, Star):
            return self._run(ANY if part.slashes else NO_SLASH, then)
        if isinstance(part, Braces):
            return self._either(part.alternatives, then)
        return self._group(part, then)

    def _run(self, accepts: str, then: int) -> int:
        fork = Fork()
        at = self._step(fork)
        fork.ways = [self._step(TakeCharacter(accepts, at)), then]
        return at

    def _either(self, alternatives: tuple[Pattern, ...], then: int) -> int:
        return self._step(Fork([self._pattern(pattern, then) for pattern in alternatives]))

    def _group(self, group: Group, then: int) -> int:
        end = self._step(MarkCapture(2 * group.number + 1, then))
        return self._step(MarkCapture(2 * group.number, self._body(group, end)))

    def _body(self, group: Group, then: int) -> int:
        if group.quantifier == "@":
            return self._either(group.alternatives, then)
        if group.quantifier == "?":
            return self._step(Fork([self._either(group.alternatives, then), then]))
        if group.quantifier == "!":
            found = self._step(Accept(anywhere=not self._to_end))
            what = self._either(group.alternatives, found)
            return self._step(RejectIf(what, self._run(NO_SLASH, then)))
        slot = self.slots
        self.slots += 1
        again = RepeatGuard(slot, 0, then)
        body = self._either(group.alternatives, self._step(again))
        turn = self._step(MarkCapture(slot, body))
        again.loop = self._step(Fork([turn, then]))
        return again.loop if group.quantifier == "*" else turn
