"""Resource limits of a process and its descendants, set from outside by prlimit(2).

They are set before the command begins, and inherited by all that it starts.  A hard limit is never raised:
even root may lack CAP_SYS_RESOURCE.
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
from collections.abc import Callable
from pathlib import Path

from tea_runner.sandbox.protocol import Limits

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
        wanted.append((resource.RLIMIT_DATA, data_limit(limits.memory)))
    for kind, value in wanted:
        if value is not None:
            _, hard = resource.prlimit(pid, kind)
            if hard != resource.RLIM_INFINITY:
                value = min(value, hard)
            resource.prlimit(pid, kind, (value, value))


def memory_watcher(root: int, limits: Limits) -> Callable[[], bool] | None:
    """A function that tells whether a process and its descendants exceed the memory limit."""
    limit = limits.memory
    if limit is None:
        return None
    return lambda: memory_used(root) > limit


_ANON = re.compile(rb"^RssAnon:\s+(\d+) kB", re.MULTILINE)
_SHARED = re.compile(rb"^RssShmem:\s+(\d+) kB", re.MULTILINE)
_SHARE = re.compile(rb"^Pss_Shmem:\s+(\d+) kB", re.MULTILINE)


def memory_used(root: int) -> int:
    """Bytes of memory used by a process and its descendants; shared memory counts once (proc(5))."""
    private = shared = 0
    sharing: list[int] = []
    for pid in _tree(root):
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
    return (private + shared) * 1024


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
