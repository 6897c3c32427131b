"""A folder in, a room in it that belongs to this process out; rooms of dead processes are emptied.

A room is held by a lock of the kernel, which ends with its owner however that ends; nothing is
remembered, so a power cut needs no repair.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import tempfile
from pathlib import Path

from tea_runner.host.openat import remove_tree

log = logging.getLogger(__name__)

#: Errors that say that the machine, not the work, is in a bad way.
_OF_THE_MACHINE = frozenset(
    {
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EROFS,
        errno.EIO,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOMEM,
        errno.EAGAIN,
        errno.ESTALE,
    }
)
_LEAST_FILES = 200


def is_of_the_machine(error: OSError) -> bool:
    """Whether another machine, or this one in a while, may do better."""
    return error.errno in _OF_THE_MACHINE


class ScratchFolder:
    """Where one process works."""

    def __init__(self, root: Path, least: int = 0) -> None:
        """*least* is the number of free bytes below which no work is taken."""
        self._root = root
        self._least = least
        self._lock = -1
        self._path = root

    @property
    def path(self) -> Path:
        """The room of this process; it is made when it is not there (any more).

        :raises OSError: when it cannot be made.
        """
        if self._lock < 0 or not self._path.is_dir():
            self._make()
        return self._path

    def _make(self) -> None:
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = Path(tempfile.mkdtemp(prefix="room-", dir=self._root))
        lock = _take(path)
        if lock < 0:  # a process that cleans up was faster
            self._make()
            return
        if self._lock >= 0:
            os.close(self._lock)
        self._path, self._lock = path, lock

    def sweep(self) -> int:
        """Remove what dead processes left, and return how many rooms that were."""
        removed = 0
        try:
            rooms = [path for path in self._root.iterdir() if path.is_dir()]
        except OSError:
            return 0
        for path in rooms:
            lock = _take(path)
            if lock < 0:
                continue
            try:
                remove_tree(path)
                removed += 1
            except OSError as error:
                log.warning("%s cannot be removed: %s", path, error.strerror)
            finally:
                os.close(lock)
        return removed

    def problem(self) -> str:
        """Why no work can be done here now, or nothing."""
        try:
            about = os.statvfs(self.path)
            free = about.f_bavail * about.f_frsize
            if free < self._least:
                return f"{self._root} has {free >> 20} MiB free; worker.free asks for {self._least >> 20}"
            if about.f_files and about.f_favail < _LEAST_FILES:
                return f"{self._root} has room for {about.f_favail} files only"
            with tempfile.TemporaryFile(dir=self.path) as file:
                file.write(b"\0" * 4096)
        except OSError as error:
            return f"{self._root} cannot be written: {error.strerror}"
        return ""

    def close(self) -> None:
        """Give the room up."""
        if self._lock < 0:
            return
        try:
            remove_tree(self._path)
        except OSError as error:
            log.warning("%s cannot be removed: %s", self._path, error.strerror)
        os.close(self._lock)
        self._lock = -1


def _take(path: Path) -> int:
    """The room's lock as a descriptor, or -1 when somebody has it or the room is gone."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return -1
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(descriptor).st_ino == os.stat(path).st_ino:
            return descriptor
    except OSError:
        pass
    os.close(descriptor)
    return -1
