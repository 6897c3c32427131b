"""Cache of a mirror's refs, shared between the processes of a host.

Every process that moves refs of the mirror writes a new random stamp to a file in it; the others read the
refs again when the stamp has changed.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Callable
from pathlib import Path

_FILE_NAME = "tea-refs"


class RefCache:
    """All refs of one repository.

    Without a stamp file nothing is cached: a user's clone, in which any git may move refs, has none.
    """

    def __init__(self, git_dir: Path) -> None:
        self._file = git_dir / _FILE_NAME
        self._stamp = b""
        self._refs: dict[str, str] = {}

    def below(self, prefix: str, read: Callable[[str], bytes]) -> dict[str, str]:
        """Refs equal to *prefix* or below it, with their object ids.

        :param read: runs git-for-each-ref(1) with a prefix; lines of object id, space, ref.
        """
        stamp = self._read_stamp()
        if not stamp:
            return _parse(read(prefix))
        if stamp != self._stamp:
            self._refs, self._stamp = _parse(read("refs/")), stamp
        if prefix == "refs/":
            return self._refs
        start = prefix if prefix.endswith("/") else prefix + "/"
        return {
            ref: oid for ref, oid in self._refs.items() if ref == prefix or ref.startswith(start)
        }

    def _read_stamp(self) -> bytes:
        with contextlib.suppress(FileNotFoundError):
            return self._file.read_bytes()
        return b""

    def invalidate(self) -> None:
        """Make all processes read the refs again."""
        temporary = self._file.with_name(f"{_FILE_NAME}.{uuid.uuid4().hex}")
        temporary.write_bytes(uuid.uuid4().bytes)
        os.replace(temporary, self._file)


def _parse(out: bytes) -> dict[str, str]:
    rows = (line.split(" ", 1) for line in out.decode("utf-8", "replace").splitlines())
    return {row[1]: row[0] for row in rows}
