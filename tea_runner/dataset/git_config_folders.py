"""Folders with configuration of git, one for each content, so that no process changes that of another.

A process has a shared lock (flock(2)) on its folder until it ends, and the kernel releases it also when the
process is killed.  A folder without a lock belongs to nobody: the next process to start removes it, with the
token that may be in it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

#: Files that former versions wrote beside the folders.
_FORMER = ("config", "credentials", "authorization")
_LOCK = "in-use"


@contextmanager
def starting(parent: Path) -> Iterator[None]:
    """A time in which no other process opens or removes a folder; unused folders are removed at its end."""
    with open(parent / "lock", "a", opener=_open_private) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
        for name in _FORMER:
            (parent / name).unlink(missing_ok=True)
        for lock in parent.glob(f"*/{_LOCK}"):
            with lock.open("a") as used, suppress(BlockingIOError):
                fcntl.flock(used, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(lock.parent, ignore_errors=True)


def open_folder(parent: Path, content: str) -> tuple[Path, int]:
    """The folder for this content, to be called while :func:`starting`.

    :param content: everything that what is written into the folder depends on.
    :returns: the folder, and a descriptor whose end is the end of its use.
    """
    folder = parent / sha256(content.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    folder.mkdir(exist_ok=True, mode=0o700)
    descriptor = _open_private(str(folder / _LOCK), os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return folder, descriptor


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
