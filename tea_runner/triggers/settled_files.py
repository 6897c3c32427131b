"""Files that nobody writes any more: their names are final, and they have been the same for a while."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from typing import NamedTuple

#: Names that programs use while they write: editors, browsers, rsync, NFS, and this package.
_TEMPORARY = re.compile(
    r".*(?:~|\.sw[a-z]|\.te?mp|\.part|\.partial|\.filepart|\.crdownload|\.download|\.lock)"
    r"|(?:\.#|\.~|~\$|\.nfs|\.tea-import-).*|#.*#|\..+\.[A-Za-z0-9]{6}",
    re.DOTALL | re.IGNORECASE,
)


class Fingerprint(NamedTuple):
    """What tells that a file was written to: its size in bytes, its time in ns, and its inode."""

    size: int
    changed: int
    inode: int

    @classmethod
    def of(cls, facts: os.stat_result) -> Fingerprint:
        """The fingerprint of what ``stat`` returned."""
        return cls(facts.st_size, facts.st_mtime_ns, facts.st_ino)


def fingerprint(path: str | os.PathLike[str]) -> Fingerprint | None:
    """The fingerprint of a file or link; None when there is none, or it is something else."""
    try:
        facts = os.lstat(path)
    except OSError:
        return None
    is_file = stat.S_ISREG(facts.st_mode) or stat.S_ISLNK(facts.st_mode)
    return Fingerprint.of(facts) if is_file else None


def is_temporary(name: str) -> bool:
    """Whether a file of this name is being written by a program that renames it in the end."""
    return bool(_TEMPORARY.fullmatch(name))


class SettledFiles:
    """Finds the files that stay the same.

    :param quiet: seconds for which a file must not change.
    """

    def __init__(self, quiet: float) -> None:
        self._quiet = quiet
        #: Path to its fingerprint, and since when it has that.
        self._seen: dict[str, tuple[Fingerprint | None, float]] = {}

    def look(self, now: float, found: Mapping[str, Fingerprint | None]) -> list[str]:
        """Those of the files that have not changed for long enough, in the order of their paths.

        :param now: seconds, of a clock that does not go back.
        :param found: all files to look at; None for one that is deleted.
        """
        before = self._seen
        self._seen = {}
        settled = []
        for path, facts in found.items():
            known, since = before.get(path, (facts, now))
            if known != facts:
                since = now
            self._seen[path] = (facts, since)
            if now - since >= self._quiet:
                settled.append(path)
        return sorted(settled)

    @property
    def waiting(self) -> bool:
        """Whether files were looked at last that may not have settled yet."""
        return bool(self._seen)

    def forget(self, paths: list[str]) -> None:
        """Drop files that were dealt with."""
        for path in paths:
            self._seen.pop(path, None)
