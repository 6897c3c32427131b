"""The folder in which commands of ``view: pfs`` start: the pipeline's code, and a link ``pfs``."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from tea_runner.host.openat import remove_tree


class CodeFolder:
    """A folder that commands may write to; each of a job's datums finds it as it was made.

    What a command changed is found by inodes, sizes, modes and times, so that a job of many datums copies
    its code once, as long as they leave it alone.
    """

    def __init__(self, path: Path, pfs: str) -> None:
        """Describe the folder.

        :param pfs: path of the inputs for the command; ``pfs`` in the folder leads there, so that relative
            paths of Pachyderm's examples work.
        """
        self.path = path
        self._pfs = pfs
        self._made: list[tuple[object, ...]] = []

    def restore(self, make: Callable[[Path], None]) -> None:
        """Make the folder, or make it anew if something in it was changed.

        :param make: writes the code into an empty folder.
        """
        if self._made and self._made == list(_entries(self.path)):
            return
        remove_tree(self.path)
        make(self.path)
        link = self.path / "pfs"
        if not os.path.lexists(link):
            link.symlink_to(self._pfs)
        self._made = list(_entries(self.path))


def _entries(folder: Path) -> Iterator[tuple[object, ...]]:
    """Each entry below a folder, with what changes when it is written, moved or replaced."""
    for parent, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted((*folders, *files)):
            facts = os.lstat(f"{parent}/{name}")
            # The owner is changed for each command, which changes ctime too.
            yield (
                f"{parent}/{name}",
                facts.st_ino,
                facts.st_mode,
                facts.st_size,
                facts.st_mtime_ns,
                facts.st_nlink,
            )
