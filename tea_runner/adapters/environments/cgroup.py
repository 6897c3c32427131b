"""Limits and a process that waits in, a control group that holds them out, where one can be made.

A control group counts what ``/tmp`` and page tables cost as well, and holds exactly.  Version 2
needs a delegated group (systemd: ``Delegate=yes``, ``DelegateSubgroup=worker``): ours are made
beside the worker's own.  Version 1 needs root.  Where neither is to be had, the sum is watched
instead (``limits.memory_used``).
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

from tea_runner.adapters.environments.protocol import Limits

MOUNT = Path("/sys/fs/cgroup")


class Cgroup:
    """One command's control group: one directory in version 2, one per controller in version 1."""

    def __init__(self, directories: tuple[Path, ...]) -> None:
        self._directories = directories

    @staticmethod
    @contextlib.contextmanager
    def hold(limits: Limits, pid: int, mount: Path = MOUNT) -> Iterator[Cgroup | None]:
        """A group that holds *pid* to the limits on memory and processes, gone at the end.

        None where there is no such limit, or no group can be made.
        """
        group = None
        if limits.memory is not None:
            own = Path("/proc/self/cgroup").read_text("ascii")
            group = _second(limits, pid, mount, own) or _first(limits, pid, mount, own)
        try:
            yield group
        finally:
            if group is not None:
                group.remove()

    def oom(self) -> bool:
        """Whether the kernel ended something in it for its memory."""
        for directory in self._directories:
            for name in ("memory.events", "memory.oom_control"):
                with contextlib.suppress(OSError):
                    match = re.search(r"^oom_kill (\d+)", (directory / name).read_text(), re.M)
                    if match and int(match[1]):
                        return True
        return False

    def remove(self) -> None:
        """Remove it; the kernel lets go of the last process a little after its end."""
        for directory in self._directories:
            for _ in range(50):
                try:
                    directory.rmdir()
                    break
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(0.01)


def _made(parent: Path, pid: int, files: dict[str, str]) -> Path | None:
    """A group with these settings and *pid* in it, or None where that is not allowed."""
    directory = parent / f"tea-{os.getpid()}-{pid}"
    try:
        directory.mkdir()
    except OSError:
        return None
    try:
        for name, value in files.items():
            # swap is not accounted on every kernel; everything else has to be there
            if "sw" in name and not (directory / name).exists():
                continue
            (directory / name).write_text(value)
        (directory / "cgroup.procs").write_text(str(pid))
    except OSError:
        with contextlib.suppress(OSError):
            directory.rmdir()
        return None
    return directory


def _second(limits: Limits, pid: int, mount: Path, own: str) -> Cgroup | None:
    match = re.search(r"^0::(/.*)$", own, re.M)
    if match is None or not (mount / "cgroup.controllers").exists():
        return None
    # beside our own group: one that has processes of its own cannot pass controllers on
    parent = (mount / match[1].lstrip("/")).parent
    if not parent.is_relative_to(mount):
        return None
    files = {
        "memory.max": str(limits.memory),
        "memory.swap.max": "0",
        "memory.oom.group": "1",
    }
    if limits.processes is not None:
        files["pids.max"] = str(limits.processes + 2)
    made = _made(parent, pid, files)
    return Cgroup((made,)) if made else None


def _first(limits: Limits, pid: int, mount: Path, own: str) -> Cgroup | None:
    match = re.search(r"^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(/.*)$", own, re.M)
    if match is None:
        return None
    memory = str(limits.memory)
    made = _made(
        mount / "memory" / match[1].lstrip("/"),
        pid,
        {"memory.limit_in_bytes": memory, "memory.memsw.limit_in_bytes": memory},
    )
    return Cgroup((made,)) if made else None
