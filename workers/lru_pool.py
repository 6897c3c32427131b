"""Pool of resources that are costly to open: the most recently used stay open."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from tea_runner.host.gc_tuning import release_free_memory

#: Resources that are closed before their memory is returned to the operating system.
_CLOSED = 16


class Closable(Protocol):
    """A resource that holds processes and file descriptors."""

    def close(self) -> None:
        """Release them."""
        ...


T = TypeVar("T", bound=Closable)


class ResourcePool(Generic[T]):
    """Opens resources by name, and closes the one that was not used for longest when it is full.

    :param open_one: opens the resource of a name.
    :param most: resources that are open at once.
    """

    def __init__(self, open_one: Callable[[str], T], most: int) -> None:
        self._open = open_one
        self._most = most
        self._held: dict[str, T] = {}
        self._closed = 0

    def __getitem__(self, name: str) -> T:
        """The resource of this name, opened if necessary."""
        held = self._held.pop(name, None)
        while held is None and len(self._held) >= self._most:
            self._held.pop(next(iter(self._held))).close()
            self._closed += 1
            if self._closed % _CLOSED == 0:
                release_free_memory()
        self._held[name] = held or self._open(name)
        return self._held[name]

    def close(self) -> None:
        """Close all of them."""
        while self._held:
            self._held.popitem()[1].close()
