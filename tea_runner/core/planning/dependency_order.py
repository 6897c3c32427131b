"""Topological order of pipelines by what they read, and their downstream pipelines."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence

from tea_runner.core.errors import UserError

Upstream = Mapping[str, Sequence[str]]


class Cycle(UserError):
    """Pipelines read one another's results in a cycle.

    :param names: each pipeline on the cycle once, in the order in which results would flow.
    """

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(
            f"cycle: {' → '.join([*names, names[0]])}", hint="let one of them read something else"
        )
        self.names = tuple(names)


def order(names: Iterable[str], upstream: Upstream) -> tuple[str, ...]:
    """Sort names so that each comes after all that it reads; independent ones by name.

    Upstream names that are not among the names are ignored.

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
    """All names that read one of the names, directly or through others; sorted.

    The names themselves are left out unless they are on a cycle.
    """
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
    """One cycle among names, each of which reads another of them."""
    path = [min(stuck)]
    seen = {path[0]: 0}
    while True:
        # Each stuck name reads a stuck one, so that the path must return to itself.
        name = _within(path[-1], upstream, stuck)[0]
        if name in seen:
            cycle = path[seen[name] :][::-1]
            start = cycle.index(min(cycle))
            return cycle[start:] + cycle[:start]
        seen[name] = len(path)
        path.append(name)
