"""Ids of trees that were read in, their entries out: as git has them for many, as mappings for few.

Git's own form takes some fifty bytes a name, a mapping six times that; and a mapping is made of it in
a fraction of the time that reading it again takes.
"""

from __future__ import annotations

from collections.abc import Mapping

from tea_runner.core.generational_cache import GenerationalCache
from tea_runner.core.git.tree import Entries, parse_tree

#: Bytes of trees that are kept as long as work goes on; a million names take some 50 MB.
_WORK = 64 << 20
#: Bytes that are kept while nobody needs them; twenty thousand names take one million.
_REST = 1 << 20
#: Names that are kept in mappings.
_NAMES = 4_000


class TreeCache:
    """Trees of one repository that were of use lately."""

    def __init__(self) -> None:
        self._texts: GenerationalCache[str, bytes] = GenerationalCache(len)
        self._open: GenerationalCache[str, Entries] = GenerationalCache(len)

    def get(self, oid: str) -> Entries | None:
        """The entries of a tree, if it is kept."""
        entries = self._open.get(oid)
        if entries is None:
            text = self._texts.get(oid)
            return None if text is None else self._opened(oid, text)
        return entries

    def add(self, oid: str, text: bytes) -> Entries:
        """Keep a tree that is wanted at once; its entries."""
        self.put({oid: text})
        return self._opened(oid, text)

    def _opened(self, oid: str, text: bytes) -> Entries:
        entries = parse_tree(text, len(oid) // 2)
        self._open.evict(_NAMES)
        self._open.put(oid, entries)
        return entries

    def has(self, oid: str) -> bool:
        """Whether a tree is kept."""
        return self._texts.get(oid) is not None or self._open.get(oid) is not None

    def put(self, texts: Mapping[str, bytes]) -> None:
        """Keep trees by their ids, each as git has it."""
        self._texts.evict(_WORK)
        for oid, text in texts.items():
            self._texts.put(oid, text)

    def evict(self) -> None:
        """A piece of work is done: let go of trees that it had no use for, when there are many."""
        self._texts.evict(_REST)
