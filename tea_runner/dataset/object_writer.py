"""Write new objects to a git repository, as one pack.

Objects are encoded here and passed to git together, so that a results commit takes one process, however
many files it has.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from tea_runner.core.errors import OutputRefused
from tea_runner.core.git.commit_signature import join_signature
from tea_runner.core.git.tree import TreeEntry, format_tree
from tea_runner.dataset.cat_file import MAX_OBJECT
from tea_runner.dataset.git_environment import GitEnvironment
from tea_runner.host import process

#: Type numbers in packs (gitformat-pack(5)).
_TYPES = {"commit": 1, "tree": 2, "blob": 3, "tag": 4}
#: Trees of one writer up to which they are given to the reader's cache: a long chain of commits writes
#: many versions of each folder.
_MAX_CACHED_TREES = 200
#: Bytes and number of new objects up to which they are stored as loose objects.
_MAX_LOOSE_BYTES = 1 << 20
_MAX_LOOSE = 50
#: Bytes up to which an object is stored uncompressed: compression takes more time than it saves.
_UNCOMPRESSED = 200
#: Bytes up to which a window of 4 KiB compresses as well as a larger one.
_SMALL_WINDOW = 4096


class ObjectWriter:
    """Collects new objects and writes them to a repository with :meth:`flush`."""

    def __init__(
        self,
        git_dir: Path,
        environment: GitEnvironment,
        *,
        oid_hex: int = 40,
        written: Callable[[Mapping[str, bytes]], None] = lambda _: None,
        sign: Callable[[bytes], bytes] | None = None,
    ) -> None:
        """Make a writer.

        :param oid_hex: hexadecimal digits of the repository's object ids: 40 (SHA-1) or 64 (SHA-256).
        :param written: called by :meth:`flush` with the trees that it wrote.
        :param sign: signs results commits; without it they are unsigned.
        """
        self._git_dir = git_dir
        self._written = written
        self._environment = environment
        self._hash = "sha1" if oid_hex == 40 else "sha256"
        self._objects: dict[str, bytes] = {}
        #: Bytes of the objects that :meth:`flush` will write.
        self.pending = 0
        self._sign = sign
        self.trees: dict[str, Mapping[str, TreeEntry]] = {}
        self._texts: dict[str, bytes] = {}

    def add(self, kind: str, data: bytes) -> str:
        """Add an object (*kind*: commit, tree, blob or tag) and return its id."""
        header = b"%s %d\0" % (kind.encode(), len(data))
        oid = hashlib.new(self._hash, header + data, usedforsecurity=False).hexdigest()
        if oid not in self._objects:
            self._objects[oid] = packed = _packed(_TYPES[kind], data)
            self.pending += len(packed)
        return oid

    def tree(self, entries: Mapping[str, TreeEntry]) -> str:
        """Add a tree and return its id."""
        text = format_tree(entries)
        oid = self.add("tree", text)
        self.trees[oid] = entries
        if len(self._texts) <= _MAX_CACHED_TREES:
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
        """Add a commit; its id depends only on the arguments and the signing key.

        :param who: author and committer, ``Name <address>``.
        :param seconds: author and committer time since 1970, in UTC.
        :raises OutputRefused: when the message is too long to be read again.
        """
        lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents)]
        lines += [f"author {who} {seconds} +0000", f"committer {who} {seconds} +0000"]
        text = "\n".join(lines) + "\n\n" + message
        data = text.encode("utf-8", "surrogateescape")
        if len(data) > MAX_OBJECT:
            raise OutputRefused(
                f"the record of these results takes {len(data)} bytes, more than "
                f"{MAX_OBJECT >> 20} MiB",
                hint="let each datum write fewer files",
            )
        if signed and self._sign is not None:
            data = join_signature(data, self._sign(data), sha256=self._hash == "sha256")
        return self.add("commit", data)

    def flush(self) -> int:
        """Write all added objects to the repository; returns their number."""
        count = len(self._objects)
        if not count:
            return 0
        body = struct.pack(">4sLL", b"PACK", 2, count) + b"".join(self._objects.values())
        pack = body + hashlib.new(self._hash, body, usedforsecurity=False).digest()
        # A few objects become loose objects, so that a mirror does not collect thousands of packs.
        # Large ones stay in their pack, from which a push copies them as they are.
        few = count <= _MAX_LOOSE and len(pack) < _MAX_LOOSE_BYTES
        verb = ["unpack-objects", "-q"] if few else ["index-pack", "--stdin", "--threads=1"]
        process.run(
            # The objects are our own: fsck would only take time.
            ["git", f"--git-dir={self._git_dir}", "-c", "transfer.fsckObjects=false", *verb],
            env=self._environment.variables,
            cwd=self._git_dir,
            stdin=pack,
            why="writing objects",
        )
        self._objects.clear()
        self.pending = 0
        if len(self._texts) <= _MAX_CACHED_TREES:
            self._written(self._texts)
        return count


def _packed(kind: int, data: bytes) -> bytes:
    """An entry of a pack (gitformat-pack(5)): type and size as a variable-length integer, then zlib data."""
    size = len(data)
    first = (kind << 4) | (size & 15)
    size >>= 4
    header = bytearray()
    while size:
        header.append(first | 0x80)
        first = size & 0x7F
        size >>= 7
    header.append(first)
    if len(data) <= _UNCOMPRESSED:
        return bytes(header) + _stored(data)
    if len(data) > _SMALL_WINDOW:
        return bytes(header) + zlib.compress(data, 1)
    # The default window and hash tables take 256 KiB, which zlib clears for every object.
    small = zlib.compressobj(1, zlib.DEFLATED, 12, 5)
    return bytes(header) + small.compress(data) + small.flush()


def _stored(data: bytes) -> bytes:
    """A zlib stream of one stored, uncompressed block (RFC 1950; RFC 1951, 3.2.4)."""
    size = len(data)
    return b"x\x01\x01%b%b%b" % (
        struct.pack("<HH", size, size ^ 0xFFFF),
        data,
        struct.pack(">L", zlib.adler32(data)),
    )
