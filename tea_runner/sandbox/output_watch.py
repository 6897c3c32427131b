"""Watch the size and number of files that a command writes; they are scanned in full at its end.

Counted is all that was not there before: files below the folders that the command may write to, and
files there that have no name any more but are open or mapped in one of its processes.  A file that is
only in flight between two processes (unix(7), SCM_RIGHTS) is not found.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tea_runner.host.openat import TooManyEntries, walk
from tea_runner.host.process import descendants
from tea_runner.sandbox.command_mounts import writable
from tea_runner.sandbox.execution_environment import Execution, Limits

#: Checks in a row that could not see all files, after which the command is ended.
_MOST_INCOMPLETE = 60
#: A mapping of a file without a name: proc(5), /proc/[pid]/maps.
_MAPPED = re.compile(
    rb"^([0-9a-f]+)-([0-9a-f]+) \S+ ([0-9a-f]+) ([0-9a-f]+):([0-9a-f]+) (\d+) .*\(deleted\)$", re.M
)


@dataclass(frozen=True, slots=True)
class _Usage:
    """Files and bytes below some folders."""

    files: int = 0
    size: int = 0
    #: Whether all was seen: the command may close directories, and move them during the walk.
    complete: bool = True


def overflow(execution: Execution, root: Callable[[], int]) -> Callable[[], str] | None:
    """A function that returns which limit of outputs a command exceeds, or an empty text.

    None when there is no limit, or nothing to write to.  To be called before the command begins: what is
    there then is not counted.

    :param root: the process id of the command's first process, once it has begun; 0 while unknown.
    """
    limits, folders = execution.limits, writable(execution)
    if not folders or (limits.output_bytes is None and limits.output_files is None):
        return None
    before = _usage(folders, None, None)
    devices = {os.lstat(folder).st_dev for folder in folders}
    incomplete = 0

    def check() -> str:
        nonlocal incomplete
        most = None if limits.output_files is None else limits.output_files + before.files
        try:
            now = _usage(folders, most, _allowed(limits, before))
        except TooManyEntries:
            return f"the outputs are more than the limit of {limits.output_files} files"
        size = now.size - before.size
        if limits.output_bytes is not None and size <= limits.output_bytes:
            first = root()
            size += _unnamed([first, *descendants(first)] if first else (), devices)
        if limits.output_bytes is not None and size > limits.output_bytes:
            return f"the outputs are larger than the limit of {limits.output_bytes} bytes"
        incomplete = 0 if now.complete else incomplete + 1
        if incomplete > _MOST_INCOMPLETE:
            return "the outputs cannot be measured: directories are closed, or move all the time"
        return ""

    return check


def _allowed(limits: Limits, before: _Usage) -> int | None:
    return None if limits.output_bytes is None else limits.output_bytes + before.size


def _usage(folders: Iterable[Path], most: int | None, enough: int | None) -> _Usage:
    """What is below some folders.

    :param most: the most entries.
    :param enough: bytes after which the rest is not looked at.
    :raises TooManyEntries: when there are more.
    """
    files = size = 0
    complete = True

    def skip(_: OSError) -> None:
        nonlocal complete
        complete = False

    for folder in folders:
        left = None if most is None else max(0, most - files)
        try:
            for entry in walk(folder, max_entries=left, on_error=skip):
                files += 1
                if not entry.is_directory:
                    # Sparse files count with their apparent size: a copy may have it.
                    size += max(entry.stat.st_size, 512 * entry.stat.st_blocks)
                if enough is not None and size > enough:
                    return _Usage(files, size)
        except OSError as error:
            skip(error)
    return _Usage(files, size, complete)


def _unnamed(pids: Iterable[int], devices: Collection[int]) -> int:
    """Bytes of the files on these devices that have no name but are open or mapped in a process."""
    found: dict[tuple[int, int], int] = {}
    for pid in pids:
        for device, inode, size in (*_open_files(pid), *_mapped_files(pid)):
            if device in devices:
                found[device, inode] = max(size, found.get((device, inode), 0))
    return sum(found.values())


def _open_files(pid: int) -> Iterator[tuple[int, int, int]]:
    """Device, inode and size of the files without a name that a process has open."""
    folder = f"/proc/{pid}/fd"
    names: list[str] = []
    with contextlib.suppress(OSError):
        names = os.listdir(folder)
    for name in names:
        with contextlib.suppress(OSError):
            facts = os.stat(f"{folder}/{name}")
            if stat.S_ISREG(facts.st_mode) and not facts.st_nlink:
                yield facts.st_dev, facts.st_ino, max(facts.st_size, 512 * facts.st_blocks)


def _mapped_files(pid: int) -> Iterator[tuple[int, int, int]]:
    """Device, inode and size of the files without a name that a process has mapped."""
    text = b""
    with contextlib.suppress(OSError):
        text = Path(f"/proc/{pid}/maps").read_bytes()
    for start, end, offset, major, minor, inode in _MAPPED.findall(text):
        size = int(offset, 16) + int(end, 16) - int(start, 16)
        with contextlib.suppress(OSError):  # only root may look
            facts = os.stat(f"/proc/{pid}/map_files/{start.decode()}-{end.decode()}")
            size = max(facts.st_size, 512 * facts.st_blocks)
        yield os.makedev(int(major, 16), int(minor, 16)), int(inode), size
