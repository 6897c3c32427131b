"""Resource limits of a process and its descendants, set from outside by prlimit(2).

They are set before the command begins, and inherited by all that it starts.  A hard limit is never raised:
even root may lack CAP_SYS_RESOURCE.
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import time
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from tea_runner.sandbox.execution_environment import Limits

#: Bytes that a process may allocate beyond its memory limit, for the stacks of its threads.
_STACKS = 1 << 30


def data_limit(memory: int) -> int:
    """RLIMIT_DATA of one process, in bytes, where only the sum over all processes is watched."""
    return 2 * memory + _STACKS


def apply_limits(pid: int, limits: Limits, *, memory_held: bool) -> None:
    """Set the limits of a process; what it starts later inherits them.

    :param memory_held: whether a cgroup limits the memory; otherwise RLIMIT_DATA is set to
        :func:`data_limit`, and the caller watches the sum with :func:`memory_watcher`.
    :raises ProcessLookupError: when the process has ended.
    """
    wanted: list[tuple[int, int | None]] = [
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, limits.processes),
        (resource.RLIMIT_FSIZE, limits.file_size),
        (resource.RLIMIT_NOFILE, limits.open_files),
        (resource.RLIMIT_CPU, limits.cpu_seconds),
    ]
    if limits.memory is not None and not memory_held:
        wanted.append((resource.RLIMIT_DATA, data_limit(limits.most_memory or limits.memory)))
    for kind, value in wanted:
        if value is not None:
            _, hard = resource.prlimit(pid, kind)
            if hard != resource.RLIM_INFINITY:
                value = min(value, hard)
            resource.prlimit(pid, kind, (value, value))


class MemoryWatch:
    """Tells whether a process and its descendants exceed a limit, and keeps the most that was seen."""

    def __init__(self, root: int, limit: int) -> None:
        self._root = root
        self._limit = limit
        self._files = _MemoryFiles()
        #: Bytes; 0 before the first look.
        self.peak = 0

    def __call__(self) -> bool:
        """Whether they exceed it now."""
        used = memory_used(self._root, self._files)
        self.peak = max(self.peak, used)
        return used > self._limit


def memory_watcher(root: int, limits: Limits) -> MemoryWatch | None:
    """The watch of a process's memory limit; None without a limit."""
    return MemoryWatch(root, limits.memory) if limits.memory is not None else None


_ANON = re.compile(rb"^RssAnon:\s+(\d+) kB", re.MULTILINE)
_SHARED = re.compile(rb"^RssShmem:\s+(\d+) kB", re.MULTILINE)
_SHARE = re.compile(rb"^Pss_Shmem:\s+(\d+) kB", re.MULTILINE)


def memory_used(root: int, files: _MemoryFiles | None = None) -> int:
    """Bytes of memory used by a process and its descendants; shared memory counts once (proc(5)).

    :param files: the files in memory that they have open; their pages belong to no process.
    """
    private = shared = 0
    sharing: list[int] = []
    pids = _tree(root)
    for pid in pids:
        with contextlib.suppress(OSError):
            status = Path(f"/proc/{pid}/status").read_bytes()
            private += _number(_ANON, status)
            own = _number(_SHARED, status)
            shared += own
            if own:
                sharing.append(pid)
    if len(sharing) > 1:
        exact = 0
        for pid in sharing:
            with contextlib.suppress(OSError):
                exact += _number(_SHARE, Path(f"/proc/{pid}/smaps_rollup").read_bytes())
        shared = exact or shared
    # What is mapped of a file in memory is in both numbers.
    return private * 1024 + max(shared * 1024, files.size(pids) if files is not None else 0)


class _MemoryFiles:
    """Size of the files in memory (memfd_create(2)) that processes have open.

    Looking for them takes at most a tenth of the time.
    """

    def __init__(self) -> None:
        self._size = 0
        self._due = 0.0

    def size(self, pids: Iterable[int]) -> int:
        """Bytes of the files that some of the processes have open, as of a moment ago."""
        began = time.monotonic()
        if began >= self._due:
            found = dict(chain.from_iterable(map(_memory_files, pids)))
            self._size = sum(found.values())
            now = time.monotonic()
            self._due = now + 10 * (now - began)
        return self._size


def _memory_files(pid: int) -> Iterator[tuple[tuple[int, int], int]]:
    """Identity and bytes in memory of each file in memory that a process has open."""
    folder = f"/proc/{pid}/fd"
    names: list[str] = []
    with contextlib.suppress(OSError):
        names = os.listdir(folder)
    for name in names:
        with contextlib.suppress(OSError):
            if os.readlink(f"{folder}/{name}").startswith("/memfd:"):
                facts = os.stat(f"{folder}/{name}")
                yield (facts.st_dev, facts.st_ino), 512 * facts.st_blocks


def _number(pattern: re.Pattern[bytes], text: bytes) -> int:
    match = pattern.search(text)
    return int(match[1]) if match else 0


def _tree(root: int) -> list[int]:
    """A process and its descendants; inside a sandbox, orphans are children of its first process."""
    pids = [root]
    for pid in pids:
        with contextlib.suppress(OSError):
            for task in os.listdir(f"/proc/{pid}/task"):
                children = Path(f"/proc/{pid}/task/{task}/children").read_bytes()
                pids.extend(map(int, children.split()))
    return pids
