"""A program and a path in, whether it matches and its captures out, in time that cannot explode.

Whether a path matches is decided by a deterministic automaton that is built while it is used: one
step per character, however the glob is written.  Captures of a path that matches are found by trying
one way after the other, but each place of the program at each place of the path only once.
All work is counted; beyond :data:`BUDGET` steps a glob is refused.
"""

from __future__ import annotations

from collections.abc import Iterable

from tea_runner.core.glob.instructions import (
    Accept,
    Fork,
    MarkCapture,
    Program,
    RejectIf,
    RepeatGuard,
    TakeCharacter,
)
from tea_runner.core.glob.syntax import GlobError

#: Steps that one glob may take in all, some ten seconds' worth.
BUDGET = 20_000_000

#: What is still to be matched: a step's number, or "all" or "any" of several, or "not" one.
Rest = int | tuple[str, "frozenset[Rest]"]
#: Settled: whatever follows, and nothing.
EVERYTHING: Rest = ("all", frozenset())
NOTHING: Rest = ("any", frozenset())


class _State:
    """What may still follow after some characters, and where each next character leads."""

    __slots__ = ("accepts", "next", "rest")

    def __init__(self, rest: Rest, accepts: bool) -> None:
        self.rest = rest
        self.accepts = accepts
        self.next: dict[str, _State] = {}


class Bounded:
    """A matcher for one glob; it remembers what it has worked out."""

    def __init__(self, program: Program, pattern: str, budget: int = BUDGET) -> None:
        self._program = program
        self._pattern = pattern
        self._left = budget
        self._states: dict[Rest, _State] = {}
        self._opened: dict[int, Rest] = {}
        self._start = self._state(self._open(program.start))

    def _spend(self, steps: int) -> None:
        self._left -= steps
        if self._left < 0:
            raise self._refusal()

    def _refusal(self) -> GlobError:
        return GlobError(
            f"glob {self._pattern!r} is too intricate for so many paths; "
            f"use fewer stars and no groups repeated within groups"
        )

    def matches(self, path: str) -> bool:
        """Whether the whole path matches.

        :raises GlobError: when all paths so far have taken more work than is allowed.
        """
        state = self._start
        for character in path:
            following = state.next.get(character)
            if following is None:
                try:
                    following = self._state(self._after(state.rest, character))
                except RecursionError as error:
                    raise self._refusal() from error
                state.next[character] = following
            state = following
        return state.accepts

    def _state(self, rest: Rest) -> _State:
        found = self._states.get(rest)
        if found is None:
            found = self._states[rest] = _State(rest, self._is_end(rest))
        return found

    def _open(self, at: int) -> Rest:
        """What a step stands for, up to the next characters."""
        found = self._opened.get(at)
        if found is None:
            found = self._opened[at] = self._look(at, ())
        return found

    def _look(self, start: int, passing: tuple[int, ...]) -> Rest:
        """All that may come first from a step on; *passing* are the steps that this is a part of."""
        if start in passing:
            return NOTHING  # a turn that took nothing adds nothing
        passing = (*passing, start)
        found: list[Rest] = []
        seen: set[int] = set()
        stack = [start]
        while stack:
            at = stack.pop()
            if at in seen:
                continue
            seen.add(at)
            step = self._program.steps[at]
            if isinstance(step, TakeCharacter):
                found.append(at)
            elif isinstance(step, Accept):
                found.append(EVERYTHING if step.anywhere else at)
            elif isinstance(step, MarkCapture):
                stack.append(step.then)
            elif isinstance(step, RepeatGuard):
                stack += [step.loop, step.then]
            elif isinstance(step, Fork):
                stack += step.ways
            else:
                rest = self._look(step.then, passing)
                found.append(_all([_not(self._open(step.what)), rest]))
        self._spend(len(seen))
        return _any(found)

    def _after(self, rest: Rest, character: str) -> Rest:
        self._spend(1)
        if isinstance(rest, int):
            step = self._program.steps[rest]
            return (
                self._open(step.then)
                if isinstance(step, TakeCharacter) and step.hits(character)
                else NOTHING
            )
        parts = [self._after(part, character) for part in rest[1]]
        if rest[0] == "any":
            return _any(parts)
        return _all(parts) if rest[0] == "all" else _not(*parts)

    def _is_end(self, rest: Rest) -> bool:
        if isinstance(rest, int):
            return isinstance(self._program.steps[rest], Accept)
        parts = map(self._is_end, rest[1])
        if rest[0] == "any":
            return any(parts)
        return all(parts) if rest[0] == "all" else not any(parts)

    def captures(self, path: str) -> tuple[str, ...] | None:
        """The captures of a path, the first of which is the path; None where it does not match.

        Longer is tried first, as everywhere.
        """
        if not self.matches(path):
            return None
        slots = self._walk(self._program.start, path, 0, (-1,) * self._program.slots, {})
        assert slots is not None
        bounds = [(slots[n], slots[n + 1]) for n in range(2, 2 * self._program.groups + 2, 2)]
        return (path, *(path[a:b] if 0 <= a <= b else "" for a, b in bounds))

    def _walk(
        self,
        start: int,
        path: str,
        begin: int,
        slots: tuple[int, ...],
        refused: dict[tuple[int, int], bool],
    ) -> tuple[int, ...] | None:
        """The slots of the first way that matches; places that led nowhere are not tried again."""
        steps = self._program.steps
        seen: set[tuple[int, int]] = set()
        stack = [(start, begin, slots)]
        while stack:
            at, position, slots = stack.pop()
            step = steps[at]
            if isinstance(step, RepeatGuard):
                # Not remembered: where it leads depends on where the turn began.
                idle = slots[step.slot] == position
                if not idle:
                    stack.append((step.loop, position, slots))
                else:
                    stack.append((step.then, position, slots))
                continue
            if (at, position) in seen:
                continue
            seen.add((at, position))
            if isinstance(step, TakeCharacter):
                if position < len(path) and step.hits(path[position]):
                    stack.append((step.then, position + 1, slots))
            elif isinstance(step, MarkCapture):
                changed = (*slots[: step.slot], position, *slots[step.slot + 1 :])
                stack.append((step.then, position, changed))
            elif isinstance(step, Accept):
                if step.anywhere or position == len(path):
                    self._spend(len(seen))
                    return slots
            elif isinstance(step, RejectIf):
                known = refused.get((step.what, position))
                if known is None:
                    known = self._walk(step.what, path, position, slots, refused) is not None
                    refused[step.what, position] = known
                if not known:
                    stack.append((step.then, position, slots))
            else:
                stack += [(way, position, slots) for way in reversed(step.ways)]
        self._spend(len(seen))
        return None


def _join(kind: str, parts: Iterable[Rest], settled: Rest) -> Rest:
    """All or any of several: flat, each once, without those that settle nothing."""
    found: set[Rest] = set()
    for part in parts:
        if part == settled:
            return settled
        if isinstance(part, tuple) and part[0] == kind:
            found |= part[1]
        else:
            found.add(part)
    return found.pop() if len(found) == 1 else (kind, frozenset(found))


def _any(parts: Iterable[Rest]) -> Rest:
    return _join("any", parts, EVERYTHING)


def _all(parts: Iterable[Rest]) -> Rest:
    return _join("all", parts, NOTHING)


def _not(rest: Rest) -> Rest:
    if rest in (EVERYTHING, NOTHING):
        return NOTHING if rest == EVERYTHING else EVERYTHING
    if isinstance(rest, tuple) and rest[0] == "not":
        return next(iter(rest[1]))
    return ("not", frozenset((rest,)))
