"""Object ids in, git objects out; and new objects in, their ids out, in one pack.

Reading goes through one long-lived ``git cat-file``; trees are remembered by id.  New objects
are encoded here and handed to git in one piece, so that a commit costs one process, however many
files it has.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from tea_runner.core.errors import OutsideError
from tea_runner.core.git.commit_signature import join_signature
from tea_runner.core.git.tree import Entries, TreeEntry, format_tree
from tea_runner.dataset.cat_file import CatFile, Found
from tea_runner.dataset.git_environment import GitEnvironment
from tea_runner.dataset.tree_cache import TreeCache
from tea_runner.host import process

_TYPES = {"commit": 1, "tree": 2, "blob": 3, "tag": 4}
#: Trees up to which what is written stays in mind; a long chain of commits has many of each folder.
_KEPT = 200
_COMMITS = 200
#: Bytes of new objects up to which they become loose ones.
_LOOSE = 1 << 20
#: Bytes up to which compressing an object costs more than it saves.
_TINY = 200
#: Bytes up to which a window of 4 kB is as good as a large one.
_SMALL = 4096


class ObjectReader:
    """Objects of one repository.  Safe to share between threads.

    Blobs that a partial clone left out count as absent: they are never fetched from here, because a
    reader that fetches one blob at a time would take the place of the planner's promise to touch
    no content.
    """

    def __init__(self, git_dir: Path, environment: GitEnvironment) -> None:
        self.git_dir = git_dir
        self._environment = environment
        self._cat = CatFile(git_dir, environment)
        self._trees = TreeCache()
        self._commits: dict[str, Commit] = {}

    @property
    def reads(self) -> int:
        """How many objects were asked of git, for the tests of cost."""
        return self._cat.reads

    def read(self, oid: str) -> Found:
        """Type and content of an object, or None when it is not here."""
        return self.read_many([oid])[oid]

    def read_many(self, oids: Iterable[str]) -> dict[str, Found]:
        """Several objects at once.

        :raises Refused: when one of them is a tree larger than any dataset's.
        """
        return self._cat.read_many(oids)

    def prefetch_blobs(self, oids: Iterable[str]) -> None:
        """Have git look for objects that will be wanted next."""
        self._cat.prefetch(oids)

    def tree(self, oid: str) -> Entries:
        """The entries of a tree.

        :raises OutsideError: when it is not here.
        """
        known = self._trees.get(oid)
        if known is None:
            found = self.read(oid)
            if found is None or found[0] != "tree":
                raise OutsideError(f"tree {oid} is not in {self.git_dir}; the fetch was not whole")
            known = self._trees.add(oid, found[1])
        return known

    def read_trees(self, oids: Iterable[str]) -> None:
        """Read trees in one go, of which :meth:`tree` will be asked next."""
        unknown = [oid for oid in oids if not self._trees.has(oid)]
        found = self._cat.read_many(unknown)
        self.remember({oid: tree[1] for oid, tree in found.items() if tree and tree[0] == "tree"})

    def remember(self, trees: Mapping[str, bytes]) -> None:
        """Remember trees that are here now."""
        self._trees.put(trees)

    def evict(self) -> None:
        """A piece of work is done: let go of trees that it had no use for, when there are many.

        While work goes on all but very many stay, so that it reads nothing twice; afterwards memory
        does not grow with the history of a repository.
        """
        self._trees.evict()

    def blob(self, oid: str) -> bytes | None:
        """The content of a blob, or None when it is not here."""
        found = self.read(oid)
        return found[1] if found and found[0] == "blob" else None

    def blobs(self, oids: Iterable[str]) -> dict[str, bytes | None]:
        """The content of several blobs."""
        return {
            oid: found[1] if found and found[0] == "blob" else None
            for oid, found in self.read_many(oids).items()
        }

    def fetch_blobs(self, oids: Iterable[str]) -> None:
        """Fetch blobs that are wanted for themselves, such as large manifests, all in one go.

        :raises OutsideError: when the forge does not give them.
        """
        missing = [oid for oid, data in self.blobs(oids).items() if data is None]
        if not missing:
            return
        process.run(
            [
                "git",
                f"--git-dir={self.git_dir}",
                "-c",
                "remote.origin.promisor=true",
                "-c",
                "fetch.negotiationAlgorithm=noop",
                "fetch",
                "-q",
                "--no-tags",
                "--no-write-fetch-head",
                "--recurse-submodules=no",
                "--filter=blob:none",
                "--stdin",
                "origin",
            ],
            env=self._environment.variables,
            cwd=self.git_dir,
            stdin="".join(oid + "\n" for oid in missing).encode(),
            why="fetching manifests",
        )

    def commit(self, oid: str) -> Commit:
        """A commit's parts.

        :raises OutsideError: when it is not here.
        """
        known = self._commits.get(oid)
        if known is None:
            found = self.read(oid)
            if found is None or found[0] != "commit":
                raise OutsideError(f"commit {oid} is not in {self.git_dir}")
            if len(self._commits) >= _COMMITS:
                self._commits.clear()
            known = self._commits[oid] = Commit(oid, found[1])
        return known

    def close(self) -> None:
        """End the process behind it."""
        self._cat.close()


class Commit:
    """A raw commit object, taken apart where it is asked."""

    def __init__(self, oid: str, data: bytes) -> None:
        self.oid = oid
        header, _, message = data.partition(b"\n\n")
        self._lines = header.split(b"\n")
        self.message = message.decode("utf-8", "replace")

    def _values(self, name: bytes) -> list[str]:
        start = name + b" "
        lines = [line for line in self._lines if line.startswith(start)]
        return [line[len(start) :].decode("utf-8", "replace") for line in lines]

    @property
    def tree(self) -> str:
        """Id of its tree."""
        return self._values(b"tree")[0]

    @property
    def parents(self) -> list[str]:
        """Ids of its parents."""
        return self._values(b"parent")

    @property
    def committed(self) -> int:
        """The committer's time in seconds since 1970, clamped to what every git can write."""
        try:
            seconds = int(self._values(b"committer")[0].rsplit(" ", 2)[-2])
        except (IndexError, ValueError):
            return 0
        return min(max(seconds, 0), 4_102_444_800)

    @property
    def author(self) -> str:
        """Who wrote it: ``Name <address>``."""
        return self._values(b"author")[0].rsplit(" ", 2)[0] if self._values(b"author") else ""

    @property
    def subject(self) -> str:
        """First line of the message."""
        return self.message.split("\n", 1)[0]


class ObjectWriter:
    """Collects new objects and gives them to a repository in one pack."""

    def __init__(
        self,
        git_dir: Path,
        environment: GitEnvironment,
        *,
        oid_hex: int = 40,
        written: Callable[[Mapping[str, bytes]], None] = lambda _: None,
        sign: Callable[[bytes], bytes] | None = None,
    ) -> None:
        """A writer to a repository.

        :param sign: signs results commits; without it they stay unsigned.
        :param written: gets the trees that are in it after a :meth:`flush`.
        """
        self._git_dir = git_dir
        self._written = written
        self._environment = environment
        self._hash = "sha1" if oid_hex == 40 else "sha256"
        self._objects: dict[str, bytes] = {}
        self._sign = sign
        self.trees: dict[str, Mapping[str, TreeEntry]] = {}
        self._texts: dict[str, bytes] = {}

    def add(self, kind: str, data: bytes) -> str:
        """Keep an object for the next :meth:`flush` and return its id."""
        header = b"%s %d\0" % (kind.encode(), len(data))
        oid = hashlib.new(self._hash, header + data, usedforsecurity=False).hexdigest()
        if oid not in self._objects:
            self._objects[oid] = _packed(_TYPES[kind], data)
        return oid

    def tree(self, entries: Mapping[str, TreeEntry]) -> str:
        """Keep a tree and return its id."""
        text = format_tree(entries)
        oid = self.add("tree", text)
        self.trees[oid] = entries
        if len(self._texts) <= _KEPT:
            self._texts[oid] = text
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
        """Keep a commit whose id depends on nothing but what is given here, and the key."""
        lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents)]
        lines += [f"author {who} {seconds} +0000", f"committer {who} {seconds} +0000"]
        text = "\n".join(lines) + "\n\n" + message
        data = text.encode("utf-8", "surrogateescape")
        if signed and self._sign is not None:
            data = join_signature(data, self._sign(data), sha256=self._hash == "sha256")
        return self.add("commit", data)

    def flush(self) -> int:
        """Give everything to git; returns the number of objects."""
        count = len(self._objects)
        if not count:
            return 0
        body = struct.pack(">4sLL", b"PACK", 2, count) + b"".join(self._objects.values())
        pack = body + hashlib.new(self._hash, body, usedforsecurity=False).digest()
        # Few objects become loose ones, so that a mirror does not collect thousands of packs.
        # A large one stays in its pack, from which a push takes it as it is.
        few = count <= 50 and len(pack) < _LOOSE
        verb = ["unpack-objects", "-q"] if few else ["index-pack", "--stdin", "--threads=1"]
        process.run(
            ["git", f"--git-dir={self._git_dir}", "-c", "transfer.fsckObjects=false", *verb],
            env=self._environment.variables,
            cwd=self._git_dir,
            stdin=pack,
            why="writing objects",
        )
        self._objects.clear()
        if len(self._texts) <= _KEPT:
            self._written(self._texts)
        return count


def _packed(kind: int, data: bytes) -> bytes:
    """One entry of a pack (gitformat-pack(5)): type and size in a variable-length number, then zlib."""
    size = len(data)
    first = (kind << 4) | (size & 15)
    size >>= 4
    header = bytearray()
    while size:
        header.append(first | 0x80)
        first = size & 0x7F
        size >>= 7
    header.append(first)
    if len(data) <= _TINY:
        return bytes(header) + _stored(data)
    if len(data) > _SMALL:
        return bytes(header) + zlib.compress(data, 1)
    # The usual window and tables are 256 kB that zlib clears for each object, however small.
    small = zlib.compressobj(1, zlib.DEFLATED, 12, 5)
    return bytes(header) + small.compress(data) + small.flush()


def _stored(data: bytes) -> bytes:
    """A zlib stream of one stored block (RFC 1950, RFC 1951 3.2.4): nothing is compressed."""
    size = len(data)
    return b"x\x01\x01%b%b%b" % (
        struct.pack("<HH", size, size ^ 0xFFFF),
        data,
        struct.pack(">L", zlib.adler32(data)),
    )
