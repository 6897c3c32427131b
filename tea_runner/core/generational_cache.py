"""Keys with values in; the values out of those keys that were of use lately, so that memory is bounded.

There are two generations: what is found in the older one is of the younger one again, and when the
younger one has become heavy, the older one is let go of.  That costs one look-up where a list in the
order of use would have to be kept.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")


class GenerationalCache(Generic[_K, _V]):
    """Values, each with a weight."""

    __slots__ = ("_former", "_now", "_weigh", "weight")

    def __init__(self, weigh: Callable[[_V], int] = lambda _: 1) -> None:
        #: Weight of what was kept or of use since the last time.
        self.weight = 0
        self._weigh = weigh
        self._now: dict[_K, _V] = {}
        self._former: dict[_K, _V] = {}

    def get(self, key: _K) -> _V | None:
        """The value that is kept, if one is."""
        found = self._now.get(key)
        if found is None:
            found = self._former.get(key)
            if found is not None:
                self.put(key, found)
        return found

    def put(self, key: _K, value: _V) -> None:
        """Keep a value; nothing is let go of before :meth:`evict`."""
        if key not in self._now:
            self.weight += self._weigh(value)
        self._now[key] = value

    def evict(self, limit: int) -> None:
        """Let go of what was of no use since the last time, when what was weighs more than *limit*."""
        if self.weight > limit:
            self._former, self._now, self.weight = self._now, {}, 0

    def clear(self) -> None:
        """Let go of everything."""
        self._former, self._now, self.weight = {}, {}, 0
