"""Cache of git trees: many in git's binary format, a few as mappings.

The binary format takes about fifty bytes per entry, a mapping six times as much.  Parsing a tree takes a
fraction of the time of reading it from git.
"""

from __future__ import annotations

from collections.abc import Mapping

from tea_runner.core.generational_cache import GenerationalCache
from tea_runner.core.git.tree import Entries, parse_tree

#: Bytes of trees that are cached during a job or plan; a million entries take about 50 MB.
_MAX_BYTES = 64 << 20
#: Bytes of trees that stay cached between jobs or plans: about twenty thousand entries.
_MAX_IDLE_BYTES = 1 << 20
#: Entries that are cached as mappings.
_MAX_PARSED_ENTRIES = 4_000


class TreeCache:
    """Recently used trees of one repository."""

    def __init__(self) -> None:
        self._texts: GenerationalCache[str, bytes] = GenerationalCache(len)
        self._parsed: GenerationalCache[str, Entries] = GenerationalCache(len)

    def get(self, oid: str) -> Entries | None:
        """The entries of a tree, or None when it is not cached."""
        entries = self._parsed.get(oid)
        if entries is None:
            text = self._texts.get(oid)
            return None if text is None else self._parse(oid, text)
        return entries

    def add(self, oid: str, text: bytes) -> Entries:
        """Cache a tree and return its entries."""
        self.put({oid: text})
        return self._parse(oid, text)

    def _parse(self, oid: str, text: bytes) -> Entries:
        entries = parse_tree(text, len(oid) // 2)
        self._parsed.evict(_MAX_PARSED_ENTRIES)
        self._parsed.put(oid, entries)
        return entries

    def has(self, oid: str) -> bool:
        """Whether a tree is cached."""
        return self._texts.get(oid) is not None or self._parsed.get(oid) is not None

    def put(self, texts: Mapping[str, bytes]) -> None:
        """Cache trees, given by id in git's binary format."""
        self._texts.evict(_MAX_BYTES)
        for oid, text in texts.items():
            self._texts.put(oid, text)

    def evict(self) -> None:
        """Evict trees that the last job or plan did not use, when there are many."""
        self._texts.evict(_MAX_IDLE_BYTES)
