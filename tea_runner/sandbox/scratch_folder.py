"""Scratch directory of one process, with removal of those that dead processes left.

Each process has a directory of its own, locked with flock(2).  The kernel releases the lock when the process
ends, however it ends; no other state is kept, so nothing needs repair after a power cut.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import tempfile
from pathlib import Path

from tea_runner.host.openat import remove_tree
from tea_runner.host.private_folder import how_to_write

log = logging.getLogger(__name__)

#: Errors that are caused by the state of the host.
_HOST_ERRORS = frozenset(
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
_MIN_FREE_INODES = 200


def is_host_error(error: OSError) -> bool:
    """Whether the same job may succeed on another host, or on this one later."""
    return error.errno in _HOST_ERRORS


class ScratchFolder:
    """The scratch directory of one process, below a root that processes share.

    :param min_free: free bytes of the file system below which :meth:`problem` reports one.
    """

    def __init__(self, root: Path, min_free: int = 0) -> None:
        self._root = root
        self._min_free = min_free
        self._lock = -1
        self._path = root

    @property
    def path(self) -> Path:
        """The directory; it is made if it does not exist or was removed.

        :raises OSError: when it cannot be made.
        """
        if self._lock < 0 or not self._path.is_dir():
            self._make()
        return self._path

    def _make(self) -> None:
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = Path(tempfile.mkdtemp(prefix="process-", dir=self._root))
        lock = _try_lock(path)
        if lock < 0:  # another process has removed it as a leftover
            self._make()
            return
        if self._lock >= 0:
            os.close(self._lock)
        self._path, self._lock = path, lock

    def sweep(self) -> int:
        """Remove the directories of dead processes; returns their number."""
        removed = 0
        try:
            directories = [path for path in self._root.iterdir() if path.is_dir()]
        except OSError:
            return 0
        for path in directories:
            lock = _try_lock(path)
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
        """Why no job can run here now, or an empty text."""
        try:
            facts = os.statvfs(self.path)
            free = facts.f_bavail * facts.f_frsize
            if free < self._min_free:
                return f"{self._root} has {free >> 20} MiB free; worker.free asks for {self._min_free >> 20}"
            if facts.f_files and facts.f_favail < _MIN_FREE_INODES:
                return f"{self._root} has {facts.f_favail} free inodes only"
            with tempfile.TemporaryFile(dir=self.path) as file:
                file.write(b"\0" * 4096)
        except OSError as error:
            step = how_to_write(error, "scratch")
            return f"{self._root} cannot be written: {error.strerror}; {step}"
        return ""

    def close(self) -> None:
        """Remove the directory and release its lock."""
        if self._lock < 0:
            return
        try:
            remove_tree(self._path)
        except OSError as error:
            log.warning("%s cannot be removed: %s", self._path, error.strerror)
        os.close(self._lock)
        self._lock = -1


def _try_lock(path: Path) -> int:
    """Descriptor of the locked directory, or -1 when it is locked or was removed."""
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
