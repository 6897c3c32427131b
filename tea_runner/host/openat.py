"""Walk, read and remove directory trees without following symbolic links (openat(2)).

One descriptor is open at a time.  The walk goes down with ``openat`` and ``O_NOFOLLOW``, and up by ``..``,
checking that it arrives at the directory that it came from.  So neither depth (6,000 levels, paths longer
than PATH_MAX) nor a directory that is replaced by a link during the walk leads it astray.  Files are opened
with ``O_NONBLOCK``, so that a FIFO does not block.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, kw_only=True, slots=True)
class DirectoryEntry:
    """One file, directory or link below the root of a walk."""

    #: Relative to the root, decoded with surrogateescape.
    path: str
    name: str
    #: Descriptor of the directory that holds it; open until the walk is advanced.
    parent: int
    #: Of the entry itself, also when it is a link.
    stat: os.stat_result
    #: 1 for entries of the root.
    depth: int

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory, and not a link to one."""
        return stat.S_ISDIR(self.stat.st_mode)


class TooManyEntries(Exception):
    """The tree has more entries than the walk may visit."""


@dataclass(slots=True)
class _Level:
    """A directory on the way down, with the names that are still to be visited."""

    names: list[str]
    identity: tuple[int, int]
    path: str
    name: str = field(default="")


def walk(
    root: Path,
    *,
    max_entries: int | None = None,
    max_depth: int | None = None,
    on_error: Callable[[OSError], None] | None = None,
) -> Iterator[DirectoryEntry]:
    """Visit all entries below *root* in the order of their names, a directory before its contents.

    :param max_depth: directories at this depth are not entered.
    :param on_error: called for an entry that was removed during the walk, or that cannot be opened; the
        walk goes on after it.  Without it the error is raised.
    :raises TooManyEntries: when there are more than *max_entries*.
    :raises OSError: when a directory cannot be opened, or was moved during the walk.
    """
    current = os.open(root, _DIRECTORY)
    try:
        count = 0
        levels = [_Level(_names(current, max_entries), _identity(current), "")]
        while levels:
            level = levels[-1]
            if not level.names:
                levels.pop()
                if levels:
                    current = _go_up(current, levels[-1].identity)
                continue
            name = level.names.pop()
            count += 1
            if max_entries is not None and count > max_entries:
                raise TooManyEntries
            path = f"{level.path}/{name}" if level.path else name
            try:
                facts = os.stat(name, dir_fd=current, follow_symlinks=False)
            except OSError as error:
                _report(on_error, error)
                continue
            entry = DirectoryEntry(
                path=path, name=name, parent=current, stat=facts, depth=len(levels)
            )
            yield entry
            if entry.is_directory and (max_depth is None or len(levels) < max_depth):
                try:
                    current = _go_down(current, name, facts)
                except OSError as error:
                    _report(on_error, error)
                    continue
                left = None if max_entries is None else max_entries - count + 1
                levels.append(_Level(_names(current, left), _identity(current), path, name))
    finally:
        os.close(current)


def _report(on_error: Callable[[OSError], None] | None, error: OSError) -> None:
    if on_error is None:
        raise error
    on_error(error)


def open_file(entry: DirectoryEntry) -> int:
    """Open a regular file for reading and return its descriptor, which the caller closes.

    :raises OSError: when the file was replaced since it was visited.
    """
    descriptor = os.open(entry.name, _FILE, dir_fd=entry.parent)
    facts = os.fstat(descriptor)
    if (facts.st_dev, facts.st_ino) != (entry.stat.st_dev, entry.stat.st_ino):
        os.close(descriptor)
        raise OSError(f"{entry.path} was exchanged while it was read")
    return descriptor


def remove_tree(path: Path) -> None:
    """Remove a file, link or directory tree, if it exists; links are not followed.

    Directories that their owner may not read or write (mode 000) are made accessible first.
    """
    try:
        facts = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(facts.st_mode):
        path.unlink()
        return
    _make_accessible(str(path), facts, None)
    current = os.open(path, _DIRECTORY)
    try:
        levels = [_Level(_names(current, None), _identity(current), "")]
        while levels:
            level = levels[-1]
            if level.names:
                name = level.names.pop()
                with contextlib.suppress(FileNotFoundError):
                    facts = os.stat(name, dir_fd=current, follow_symlinks=False)
                    if stat.S_ISDIR(facts.st_mode):
                        _make_accessible(name, facts, current)
                        current = _go_down(current, name, facts)
                        levels.append(_Level(_names(current, None), _identity(current), "", name))
                    else:
                        os.unlink(name, dir_fd=current)
                continue
            levels.pop()
            if levels:
                current = _go_up(current, levels[-1].identity)
                os.rmdir(level.name, dir_fd=current)
    finally:
        os.close(current)
    path.rmdir()


def _make_accessible(name: str, facts: os.stat_result, parent: int | None) -> None:
    if facts.st_mode & 0o700 != 0o700:
        os.chmod(name, stat.S_IMODE(facts.st_mode) | 0o700, dir_fd=parent)


def _names(directory: int, limit: int | None) -> list[str]:
    """Names in a directory, at most one more than *limit*, in reverse order: they are popped."""
    with os.scandir(directory) as entries:
        names = [entry.name for entry in islice(entries, None if limit is None else limit + 1)]
    names.sort(key=os.fsencode, reverse=True)
    return names


def _identity(directory: int) -> tuple[int, int]:
    facts = os.fstat(directory)
    return facts.st_dev, facts.st_ino


def _go_down(current: int, name: str, facts: os.stat_result) -> int:
    below = os.open(name, _DIRECTORY, dir_fd=current)
    if _identity(below) != (facts.st_dev, facts.st_ino):
        os.close(below)
        raise OSError(f"directory {name} was exchanged while it was walked")
    os.close(current)
    return below


def _go_up(current: int, expected: tuple[int, int]) -> int:
    above = os.open("..", _DIRECTORY, dir_fd=current)
    if _identity(above) != expected:
        os.close(above)
        raise OSError("a directory was moved while it was walked")
    os.close(current)
    return above
