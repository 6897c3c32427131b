"""A repository of ours in, its refs with their ids out; git is asked again only when some have moved.

Whoever moves refs says so in a small file, which the other processes of the host look at.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Callable
from pathlib import Path

_NAME = "tea-refs"


class RefCache:
    """All refs of one repository, as they were when somebody last said that they had moved."""

    def __init__(self, git_dir: Path) -> None:
        self._place = git_dir / _NAME
        self._stamp = b""
        self._known: dict[str, str] = {}

    def below(self, prefix: str, read: Callable[[str], bytes]) -> dict[str, str]:
        """Refs whose names are *prefix*, or begin with it up to a slash, and their ids.

        :param read: asks git for them.
        """
        stamp = self._look()
        if not stamp:
            # Nobody says so here: a person's clone.
            return _parse(read(prefix))
        if stamp != self._stamp:
            self._known, self._stamp = _parse(read("refs/")), stamp
        if prefix == "refs/":
            return self._known
        start = prefix if prefix.endswith("/") else prefix + "/"
        return {
            ref: oid for ref, oid in self._known.items() if ref == prefix or ref.startswith(start)
        }

    def _look(self) -> bytes:
        with contextlib.suppress(FileNotFoundError):
            return self._place.read_bytes()
        return b""

    def moved(self) -> None:
        """Say that refs have moved, or may have."""
        temporary = self._place.with_name(f"{_NAME}.{uuid.uuid4().hex}")
        temporary.write_bytes(uuid.uuid4().bytes)
        os.replace(temporary, self._place)


def _parse(out: bytes) -> dict[str, str]:
    rows = (line.split(" ", 1) for line in out.decode("utf-8", "replace").splitlines())
    return {row[1]: row[0] for row in rows}
