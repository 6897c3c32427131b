"""Git objects in memory, with the ids that git gives them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from tea_runner.core.datums.content_identity import SMALL_BLOB
from tea_runner.core.errors import OutsideError
from tea_runner.core.git.commit_signature import join_signature
from tea_runner.core.git.tree import TreeEntry, format_tree, parse_tree


def object_id(kind: str, data: bytes) -> str:
    """The SHA-1 id of a loose object (gitformat-loose(5))."""
    header = b"%s %d\0" % (kind.encode(), len(data))
    return hashlib.sha1(header + data, usedforsecurity=False).hexdigest()


@dataclass(kw_only=True)
class MemoryCommit:
    """The parts of a commit object."""

    oid: str
    tree: str
    parents: tuple[str, ...]
    committed: int
    message: str


def parse_commit(oid: str, data: bytes) -> MemoryCommit:
    """Parse a raw commit object."""
    header, _, message = data.partition(b"\n\n")
    rows = [line.partition(b" ")[::2] for line in header.split(b"\n")]
    committer = next(value for name, value in rows if name == b"committer")
    return MemoryCommit(
        oid=oid,
        tree=next(value.decode() for name, value in rows if name == b"tree"),
        parents=tuple(value.decode() for name, value in rows if name == b"parent"),
        committed=int(committer.rsplit(b" ", 2)[1]),
        message=message.decode("utf-8", "replace"),
    )


class MemoryObjects:
    """Object database with the limits of a partial clone.

    Blobs of more than :data:`SMALL_BLOB` bytes are absent until they are fetched, as in a mirror.
    """

    def __init__(self) -> None:
        self._objects: dict[str, tuple[str, bytes]] = {}
        self._trees: dict[str, Mapping[str, TreeEntry]] = {}
        self._fetched: set[str] = set()

    def add(self, kind: str, data: bytes) -> str:
        """Store an object and return its id."""
        oid = object_id(kind, data)
        self._objects[oid] = (kind, data)
        return oid

    def remove(self, oid: str) -> None:
        """Delete an object, as ``git gc`` does with unreachable ones."""
        del self._objects[oid]
        self._trees.pop(oid, None)

    def raw(self, oid: str, kind: str) -> bytes | None:
        """The bytes of an object of this kind, whatever its size."""
        known, data = self._objects.get(oid, ("", b""))
        return data if known == kind else None

    def tree(self, oid: str) -> Mapping[str, TreeEntry]:
        """The entries of a tree."""
        if oid not in self._trees:
            data = self.raw(oid, "tree")
            if data is None:
                raise OutsideError(f"there is no tree {oid}")
            self._trees[oid] = parse_tree(data)
        return self._trees[oid]

    def read_trees(self, oids: Iterable[str]) -> None:
        """Do nothing: all trees are in memory."""
        list(oids)

    def blob(self, oid: str) -> bytes | None:
        """The content of a blob that is at hand."""
        data = self.raw(oid, "blob")
        small = data is not None and len(data) <= SMALL_BLOB
        return data if small or oid in self._fetched else None

    def blobs(self, oids: Iterable[str]) -> Mapping[str, bytes | None]:
        """The content of several blobs."""
        return {oid: self.blob(oid) for oid in oids}

    def small_blobs(self, oids: Iterable[str]) -> Mapping[str, bytes | None]:
        """The content of several small blobs."""
        found = self.blobs(oids)
        return {o: data if len(data or b"") < SMALL_BLOB else None for o, data in found.items()}

    def prefetch_blobs(self, oids: Iterable[str]) -> None:
        """Do nothing: small blobs are in memory."""
        list(oids)

    def fetch_blobs(self, oids: Iterable[str]) -> None:
        """Make large blobs readable."""
        for oid in oids:
            if self.raw(oid, "blob") is None:
                raise OutsideError(f"there is no blob {oid}")
            self._fetched.add(oid)

    def commit(self, oid: str) -> MemoryCommit:
        """The parts of a commit."""
        data = self.raw(oid, "commit")
        if data is None:
            raise OutsideError(f"there is no commit {oid}")
        return parse_commit(oid, data)

    def has(self, oid: str) -> bool:
        """Whether an object of any kind is here."""
        return oid in self._objects


class MemoryTreeStore:
    """New objects that :meth:`flush` adds to a :class:`MemoryObjects`."""

    def __init__(
        self, objects: MemoryObjects, sign: Callable[[bytes], bytes] | None = None
    ) -> None:
        self._objects = objects
        self._sign = sign
        self._new: dict[str, tuple[str, bytes]] = {}
        self.trees: dict[str, Mapping[str, TreeEntry]] = {}

    def add(self, kind: str, data: bytes) -> str:
        """Keep an object and return its id."""
        oid = object_id(kind, data)
        self._new[oid] = (kind, data)
        return oid

    def tree(self, entries: Mapping[str, TreeEntry]) -> str:
        """Keep a tree and return its id."""
        oid = self.add("tree", format_tree(entries))
        self.trees[oid] = entries
        return oid

    def commit(
        self,
        tree: str,
        parents: Iterable[str],
        message: str,
        *,
        who: str,
        seconds: int,
        signed: bool = False,
    ) -> str:
        """Keep a commit and return its id."""
        lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents)]
        lines += [f"{role} {who} {seconds} +0000" for role in ("author", "committer")]
        data = "\n".join([*lines, "", message]).encode("utf-8", "surrogateescape")
        if signed and self._sign is not None:
            data = join_signature(data, self._sign(data))
        return self.add("commit", data)

    def flush(self) -> int:
        """Add everything to the objects; returns how many there were."""
        count = len(self._new)
        for kind, data in self._new.values():
            self._objects.add(kind, data)
        self._new.clear()
        return count
