"""Names and what each reads in, an order out; cycles are named in full."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence

from tea_runner.core.errors import UserError

Upstream = Mapping[str, Sequence[str]]


class Cycle(UserError):
    """Pipelines read one another's results in a circle.

    :param names: each pipeline on the circle once, in the order in which results would flow.
    """

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(
            f"cycle: {' → '.join([*names, names[0]])}", hint="let one of them read something else"
        )
        self.names = tuple(names)


def order(names: Iterable[str], upstream: Upstream) -> tuple[str, ...]:
    """The names, each after all that it reads; among equals, by name.

    What is read but is none of the names is left out.

    :raises Cycle: when there is no such order.
    """
    wanted = set(names)
    missing = {name: len(_within(name, upstream, wanted)) for name in wanted}
    readers = _readers(wanted, upstream)
    ready = [name for name, count in missing.items() if count == 0]
    heapq.heapify(ready)
    found: list[str] = []
    while ready:
        name = heapq.heappop(ready)
        found.append(name)
        for reader in readers.get(name, ()):
            missing[reader] -= 1
            if missing[reader] == 0:
                heapq.heappush(ready, reader)
    if len(found) < len(wanted):
        raise Cycle(_cycle(wanted.difference(found), upstream))
    return tuple(found)


def downstream(names: Iterable[str], upstream: Upstream) -> tuple[str, ...]:
    """All that reads one of the names, or reads what does; sorted, without the names themselves
    unless they read their own results in a circle."""
    readers = _readers(upstream, upstream)
    found: set[str] = set()
    stack = list(names)
    while stack:
        for reader in readers.get(stack.pop(), ()):
            if reader not in found:
                found.add(reader)
                stack.append(reader)
    return tuple(sorted(found))


def _within(name: str, upstream: Upstream, wanted: Iterable[str]) -> list[str]:
    return sorted(set(upstream.get(name, ())).intersection(wanted))


def _readers(names: Iterable[str], upstream: Upstream) -> dict[str, list[str]]:
    readers: dict[str, list[str]] = {}
    for name in sorted(names):
        for other in dict.fromkeys(upstream.get(name, ())):
            readers.setdefault(other, []).append(name)
    return readers


def _cycle(stuck: set[str], upstream: Upstream) -> list[str]:
    """One circle among names of which each reads another of them."""
    way = [min(stuck)]
    seen = {way[0]: 0}
    while True:
        # Each stuck name reads a stuck one, so that this ends where the way meets itself.
        name = _within(way[-1], upstream, stuck)[0]
        if name in seen:
            circle = way[seen[name] :][::-1]
            start = circle.index(min(circle))
            return circle[start:] + circle[:start]
        seen[name] = len(way)
        way.append(name)
