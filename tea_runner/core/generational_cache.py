"""Mapping that evicts values which were not used lately.

There are two generations.  A hit in the older one moves the value to the younger one; when the younger
one becomes too heavy, the older one is dropped.  Unlike a least-recently-used list, a hit in the younger
generation costs one dictionary lookup (docs/decisions/0011).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")


class GenerationalCache(Generic[_K, _V]):
    """A cache of two generations, in which each value has a weight."""

    __slots__ = ("_new", "_old", "_weigh", "weight")

    def __init__(self, weigh: Callable[[_V], int] = lambda _: 1) -> None:
        #: Weight of the younger generation.
        self.weight = 0
        self._weigh = weigh
        self._new: dict[_K, _V] = {}
        self._old: dict[_K, _V] = {}

    def __len__(self) -> int:
        """The number of values."""
        return len(self._new.keys() | self._old.keys())

    def get(self, key: _K) -> _V | None:
        """The value of a key; None when it is not cached."""
        found = self._new.get(key)
        if found is None:
            found = self._old.get(key)
            if found is not None:
                self.put(key, found)
        return found

    def put(self, key: _K, value: _V) -> None:
        """Add a value; nothing is evicted before :meth:`evict`."""
        if key not in self._new:
            self.weight += self._weigh(value)
        self._new[key] = value

    def evict(self, limit: int) -> None:
        """Drop the older generation if the younger one weighs more than *limit*, and begin a new one."""
        if self.weight > limit:
            self._old, self._new, self.weight = self._new, {}, 0

    def clear(self) -> None:
        """Drop everything."""
        self._old, self._new, self.weight = {}, {}, 0
