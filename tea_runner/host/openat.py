"""A directory in, what is below it out: each thing once, no link followed, no depth too deep.

One descriptor is open at a time; the way down goes by ``openat`` with ``O_NOFOLLOW``, the way up by
``..`` and is checked, so that 6,000 levels, a path longer than the system allows, or a directory
that was swapped for a link lead neither astray nor to an end.  Opening never waits (a FIFO would
hang a naive reader).
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, kw_only=True, slots=True)
class DirectoryEntry:
    """One thing below the root. *parent* is open only until the next one is asked for."""

    #: Relative to the root, decoded with surrogateescape.
    path: str
    name: str
    parent: int
    #: Of the thing itself, not of what it points to.
    stat: os.stat_result
    #: 1 for what lies in the root.
    depth: int

    @property
    def is_directory(self) -> bool:
        """Whether the walk goes into it next."""
        return stat.S_ISDIR(self.stat.st_mode)


class TooMany(Exception):
    """There are more things than were asked for."""


@dataclass(slots=True)
class _Level:
    names: list[str]
    identity: tuple[int, int]
    path: str
    name: str = field(default="")


def walk(
    root: Path, *, most: int | None = None, deepest: int | None = None
) -> Iterator[DirectoryEntry]:
    """All that is below *root*, in the order of the names, a directory before its contents.

    :param most: raise :class:`TooMany` at one thing more.
    :param deepest: do not go into directories that lie this deep.
    :raises OSError: for a directory that cannot be opened, or was moved while it was walked.
    """
    here = os.open(root, _DIRECTORY)
    try:
        count = 0
        levels = [_Level(_names(here, most), _identity(here), "")]
        while levels:
            level = levels[-1]
            if not level.names:
                levels.pop()
                if levels:
                    here = _up(here, levels[-1].identity)
                continue
            name = level.names.pop()
            count += 1
            if most is not None and count > most:
                raise TooMany
            path = f"{level.path}/{name}" if level.path else name
            about = os.stat(name, dir_fd=here, follow_symlinks=False)
            found = DirectoryEntry(path=path, name=name, parent=here, stat=about, depth=len(levels))
            yield found
            if found.is_directory and (deepest is None or len(levels) < deepest):
                here = _down(here, name, about)
                left = None if most is None else most - count + 1
                levels.append(_Level(_names(here, left), _identity(here), path, name))
    finally:
        os.close(here)


def read(found: DirectoryEntry) -> int:
    """A descriptor of a regular file, open for reading; the caller closes it.

    :raises OSError: when it is no longer what it was.
    """
    descriptor = os.open(found.name, _FILE, dir_fd=found.parent)
    about = os.fstat(descriptor)
    if (about.st_dev, about.st_ino) != (found.stat.st_dev, found.stat.st_ino):
        os.close(descriptor)
        raise OSError(f"{found.path} was exchanged while it was read")
    return descriptor


def remove_tree(path: Path) -> None:
    """Remove *path* and all below it; links are removed, not followed. Nothing there is fine.

    Directories that their owner has closed (mode 000) are opened first.
    """
    try:
        about = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(about.st_mode):
        path.unlink()
        return
    _unlock(str(path), about, None)
    here = os.open(path, _DIRECTORY)
    try:
        levels = [_Level(_names(here, None), _identity(here), "")]
        while levels:
            level = levels[-1]
            if level.names:
                name = level.names.pop()
                with contextlib.suppress(FileNotFoundError):
                    about = os.stat(name, dir_fd=here, follow_symlinks=False)
                    if stat.S_ISDIR(about.st_mode):
                        _unlock(name, about, here)
                        here = _down(here, name, about)
                        levels.append(_Level(_names(here, None), _identity(here), "", name))
                    else:
                        os.unlink(name, dir_fd=here)
                continue
            levels.pop()
            if levels:
                here = _up(here, levels[-1].identity)
                os.rmdir(level.name, dir_fd=here)
    finally:
        os.close(here)
    path.rmdir()


def _unlock(name: str, about: os.stat_result, parent: int | None) -> None:
    if about.st_mode & 0o700 != 0o700:
        os.chmod(name, stat.S_IMODE(about.st_mode) | 0o700, dir_fd=parent)


def _names(directory: int, most: int | None) -> list[str]:
    """Names in reverse order, at most one more than *most*; the last is taken first."""
    with os.scandir(directory) as entries:
        names = [entry.name for entry in islice(entries, None if most is None else most + 1)]
    names.sort(key=os.fsencode, reverse=True)
    return names


def _identity(directory: int) -> tuple[int, int]:
    about = os.fstat(directory)
    return about.st_dev, about.st_ino


def _down(here: int, name: str, about: os.stat_result) -> int:
    below = os.open(name, _DIRECTORY, dir_fd=here)
    if _identity(below) != (about.st_dev, about.st_ino):
        os.close(below)
        raise OSError(f"directory {name} was exchanged while it was walked")
    os.close(here)
    return below


def _up(here: int, expected: tuple[int, int]) -> int:
    above = os.open("..", _DIRECTORY, dir_fd=here)
    if _identity(above) != expected:
        os.close(above)
        raise OSError("a directory was moved while it was walked")
    os.close(here)
    return above
