"""Parse, walk, compare and edit git trees.

Trees are read through a function from tree id to entries, whose answers may be cached: equal trees
have equal ids.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from tea_runner.core.errors import Refused
from tea_runner.core.fast_tuple import fast_new

LINK = 0o120000
TREE = 0o040000
SUBMODULE = 0o160000
PLAIN = 0o100644
EXECUTABLE = 0o100755
#: Modes of regular files.
FILES = frozenset({PLAIN, EXECUTABLE})


class TreeEntry(NamedTuple):
    """One entry of a tree: its mode and the object's id."""

    mode: int
    oid: str


_entry = functools.partial(fast_new, TreeEntry)
#: By the length of an id in bytes: finds mode, name and id of all entries of a tree.
_ROWS = {
    size: re.compile(rb"([0-7]+) ([^\0]+)\0(.{%d})" % size, re.DOTALL).findall for size in (20, 32)
}

#: Folders in one another.
_MAX_DEPTH = 256

Entries = Mapping[str, TreeEntry]
TreeReader = Callable[[str], Entries]
#: Writes one tree's entries and returns its id.
TreeWriter = Callable[[Mapping[str, TreeEntry]], str]


def parse_tree(data: bytes, oid_bytes: int = 20) -> dict[str, TreeEntry]:
    """The entries of a raw tree object (gitformat-pack(5): mode, space, name, NUL, binary id).

    :raises ValueError: when the data is not a tree.
    """
    rows = _ROWS[oid_bytes](data)
    # Plans read hundreds of thousands of rows, so each step runs in built-in functions.
    modes, names, oids = zip(*rows, strict=True) if rows else ((), (), ())
    length = sum(map(len, modes)) + sum(map(len, names)) + len(rows) * (2 + oid_bytes)
    if length != len(data):
        raise ValueError("not a git tree object")
    numbers = {mode: int(mode, 8) for mode in set(modes)}
    pairs = zip(map(numbers.__getitem__, modes), map(bytes.hex, oids), strict=True)
    texts = [name.decode("utf-8", "surrogateescape") for name in names]
    return dict(zip(texts, map(_entry, pairs), strict=True))


def format_tree(entries: Mapping[str, TreeEntry]) -> bytes:
    """A raw tree object, in git's order (a directory sorts as if its name ended in ``/``)."""
    rows = []
    for name, (mode, oid) in entries.items():
        raw = name.encode("utf-8", "surrogateescape")
        row = b"%o %s\0%s" % (mode, raw, bytes.fromhex(oid))
        rows.append((raw + b"/" if mode == TREE else raw, row))
    rows.sort()
    return b"".join(row for _, row in rows)


def lookup(read: TreeReader, root: str, path: str) -> TreeEntry | None:
    """The entry at *path* below the tree *root*, or None; the root itself for the empty path."""
    entry = TreeEntry(TREE, root)
    for part in path.split("/") if path else ():
        if entry.mode != TREE:
            return None
        found = read(entry.oid).get(part)
        if found is None:
            return None
        entry = found
    return entry


def walk_tree(read: TreeReader, root: str, prefix: str = "") -> Iterator[tuple[str, TreeEntry]]:
    """All entries below the tree *root* except trees, in byte order of their paths.

    :raises Refused: as :func:`check_depth`.
    """
    stack: list[tuple[str, Iterator[tuple[str, TreeEntry]]]] = [(prefix, _ordered(read(root)))]
    while stack:
        base, entries = stack[-1]
        for name, entry in entries:
            if entry.mode == TREE:
                check_depth(len(stack), f"{base}{name}")
                stack.append((f"{base}{name}/", _ordered(read(entry.oid))))
                break
            yield base + name, entry
        else:
            stack.pop()


def check_depth(depth: int, path: str) -> None:
    """Check that a folder is not too deep.

    :param depth: number of folders above it.
    :raises Refused: when there are more than 256: recursion and paths grow with them.
    """
    if depth > _MAX_DEPTH:
        raise Refused(
            f"the dataset has more than {_MAX_DEPTH} folders in one another, at {path[:60]}…",
            hint="move those files up",
        )


def differences(
    read: TreeReader, before: str, after: str, prefix: str = "", depth: int = 0
) -> Iterator[tuple[str, TreeEntry | None, TreeEntry | None]]:
    """Path, old and new entry of each file that differs; equal subtrees are not read.

    :raises Refused: as :func:`check_depth`.
    """
    check_depth(depth, prefix)
    old = read(before) if before else {}
    new = read(after) if after else {}
    for name in {**old, **new}:
        one, other = old.get(name), new.get(name)
        if one == other:
            continue
        was = one.oid if one and one.mode == TREE else ""
        now = other.oid if other and other.mode == TREE else ""
        if was or now:
            yield from differences(read, was, now, f"{prefix}{name}/", depth + 1)
        file, new_file = (None if was else one), (None if now else other)
        if file or new_file:
            yield prefix + name, file, new_file


def _ordered(entries: Entries) -> Iterator[tuple[str, TreeEntry]]:
    # Entries are stored in git's order, which is byte order of full paths.
    return iter(entries.items())


class _Node:
    """A directory in which entries are set, removed or edited in turn."""

    __slots__ = ("children", "leaves")

    def __init__(self) -> None:
        self.children: dict[str, _Node] = {}
        self.leaves: dict[str, TreeEntry | None] = {}


def edit_tree(
    read: TreeReader, write: TreeWriter, root: str | None, changes: Mapping[str, TreeEntry | None]
) -> str | None:
    """The id of the tree *root* with each path in *changes* set, or removed where its entry is None.

    Directories that become empty are removed.  Only directories above a change are read and written.
    Returns None when nothing remains.

    :raises Refused: as :func:`check_depth`.
    """
    top = _Node()
    for path, entry in changes.items():
        *directories, name = path.split("/")
        node = top
        for part in directories:
            node = node.children.setdefault(part, _Node())
        node.leaves[name] = entry
    return _write(read, write, root, top)


def _write(
    read: TreeReader,
    write: TreeWriter,
    oid: str | None,
    node: _Node,
    path: str = "",
    depth: int = 0,
) -> str | None:
    check_depth(depth, path)
    before = read(oid) if oid else {}
    after = dict(before)
    for name, leaf in node.leaves.items():
        if leaf is None:
            after.pop(name, None)
        else:
            after[name] = leaf
    for name, child in node.children.items():
        old = after.get(name)
        was = old.oid if old is not None and old.mode == TREE else None
        subtree = _write(read, write, was, child, f"{path}{name}/", depth + 1)
        if subtree is not None:
            after[name] = TreeEntry(TREE, subtree)
        elif old is not None and old.mode == TREE:
            del after[name]
    if not after:
        return None
    return oid if oid and after == before else write(after)
