"""Books of ticks of a dataset in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tea_runner.core.git.branch_results_scope import scope_of
from tea_runner.core.git.tree import PLAIN, TreeEntry
from tea_runner.core.planning.asked_tick import AskedTick
from tea_runner.core.planning.recorded_ticks import TickBook, parse_book
from tests.twins.objects import MemoryObjects, MemoryTreeStore

_TICKS = "refs/tea/ticks/"


class MemoryTickBooks:
    """The part of a dataset in memory that has the books."""

    objects: MemoryObjects
    _fetched: dict[str, str]

    def writer(self) -> MemoryTreeStore:
        """A writer of new objects."""
        raise NotImplementedError

    def publish(self, updates: Sequence[tuple[str, str, str | None]]) -> bool:
        """Compare and swap several refs."""
        raise NotImplementedError

    def tick_book(self, branch: str) -> TickBook:
        """The book at the branch's ref; no seal is asked for."""
        oid = self._fetched.get(_TICKS + scope_of(branch, ()))
        if oid is None:
            return TickBook()
        entry = self.objects.tree(self.objects.commit(oid).tree)["ticks.json"]
        return replace(parse_book(self.objects.raw(entry.oid, "blob") or b""), at=oid)

    def record_ticks(self, branch: str, book: TickBook, discarded: Sequence[str] = ()) -> bool:
        """Put a book into the branch's ref."""
        store = self.writer()
        tree = store.tree(
            {"ticks.json": TreeEntry(PLAIN, store.add("blob", book.to_text().encode()))}
        )
        made = store.commit(tree, [], "ticks\n", who="P <p@example.org>", seconds=0)
        store.flush()
        gone = [(ref, "", self._fetched[ref]) for ref in discarded if ref in self._fetched]
        return self.publish([(_TICKS + scope_of(branch, ()), made, book.at), *gone])

    def remove_ticks(self, branch: str) -> None:
        """Delete the branch's ref."""
        book = self.tick_book(branch)
        if book.at is not None:
            self.publish([(_TICKS + scope_of(branch, ()), "", book.at)])


class MemoryAskedTicks:
    """Ticks that people asked for."""

    def __init__(self) -> None:
        self.ticks: list[AskedTick] = []

    def pending(self) -> list[AskedTick]:
        """Those that are not recorded yet."""
        return list(self.ticks)

    def recorded(self, asked: AskedTick) -> None:
        """Forget one."""
        self.ticks.remove(asked)
