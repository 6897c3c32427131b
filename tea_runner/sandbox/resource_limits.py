"""A process that waits to begin, and its limits in: the kernel holds it to them from then on.

Limits are set from outside, by ``prlimit``, while the process waits: nothing has to run in it
first, and it is so for all that it starts.  A hard limit is never raised: even root may lack the
right to.
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
from collections.abc import Callable
from pathlib import Path

from tea_runner.sandbox.protocol import Limits

#: What a single process may reserve beyond its memory, for the stacks of its threads.
_RESERVE = 1 << 30


def reserve(memory: int) -> int:
    """What one process may reserve where only the sum over all is watched."""
    return 2 * memory + _RESERVE


def apply_limits(pid: int, limits: Limits, *, memory_held: bool) -> None:
    """Hold *pid* and all that it starts to *limits*.

    :param memory_held: a cgroup holds the memory; otherwise each process may reserve twice it
        and some more, and :func:`memory_watcher` is to be asked about the sum.
    """
    wanted: list[tuple[int, int | None]] = [
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, limits.processes),
        (resource.RLIMIT_FSIZE, limits.file_size),
        (resource.RLIMIT_NOFILE, limits.open_files),
        (resource.RLIMIT_CPU, limits.cpu_seconds),
    ]
    if limits.memory is not None and not memory_held:
        wanted.append((resource.RLIMIT_DATA, reserve(limits.memory)))
    for kind, value in wanted:
        if value is not None:
            _, hard = resource.prlimit(pid, kind)
            if hard != resource.RLIM_INFINITY:
                value = min(value, hard)
            resource.prlimit(pid, kind, (value, value))


def memory_watcher(root: int, limits: Limits) -> Callable[[], bool] | None:
    """What says whether a process and all below it use more memory than they may."""
    most = limits.memory
    if most is None:
        return None
    return lambda: memory_used(root) > most


_ANON = re.compile(rb"^RssAnon:\s+(\d+) kB", re.MULTILINE)
_SHARED = re.compile(rb"^RssShmem:\s+(\d+) kB", re.MULTILINE)
_SHARE = re.compile(rb"^Pss_Shmem:\s+(\d+) kB", re.MULTILINE)


def memory_used(root: int) -> int:
    """Bytes of memory in use by a process and all below it; shared memory counts once."""
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
    """A process and all below it; those whose parent has died stand below the sandbox's first."""
    found = [root]
    for pid in found:
        with contextlib.suppress(OSError):
            for task in os.listdir(f"/proc/{pid}/task"):
                children = Path(f"/proc/{pid}/task/{task}/children").read_bytes()
                found.extend(map(int, children.split()))
    return found
