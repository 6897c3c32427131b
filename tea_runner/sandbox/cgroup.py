"""Limits and a process that waits in, a control group that holds them out, where one can be made.

A control group counts what ``/tmp`` and page tables cost as well, and holds exactly.  Version 2
needs a delegated group (systemd: ``Delegate=yes``, ``DelegateSubgroup=worker``): ours are made
beside the worker's own.  Version 1 needs root.  Where neither is to be had, the sum is watched
instead (``limits.memory_used``).

A group is kept for the next command with the same limits, and with it the launcher that starts
commands in it: the kernel takes milliseconds to make one, to join it and to let go of it.  What a
former command left in it is cache that gives way.  Groups go with the worker; those of workers that
died are removed when the next one makes its first.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path

from tea_runner.sandbox.cgroup_launcher import CgroupLauncher
from tea_runner.sandbox.protocol import Limits

MOUNT = Path("/sys/fs/cgroup")
_NAME = re.compile(r"tea-(\d+)-\d+")
#: Of groups of this process: several things in it may make some, and a name is one group's.
_numbers = itertools.count()


class Cgroup:
    """One command's control group at a time, and what starts it there."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._ended = 0
        #: Where the kernel counts, in version 2 and in version 1.
        self._counts: tuple[str, ...] = ("memory.events", "memory.oom_control")
        self._launcher: CgroupLauncher | None = None

    def ready(self) -> CgroupLauncher | None:
        """What starts the next command in it; None when the kernel will not have it so."""
        self._ended = self._count()
        if self._launcher is not None and not self._launcher.alive:
            self._launcher.close()
            self._launcher = None
        if self._launcher is None:
            launcher = CgroupLauncher()
            try:
                (self._directory / "cgroup.procs").write_text(str(launcher.pid))
            except OSError:
                launcher.close()
                return None
            self._launcher = launcher
        return self._launcher

    def oom(self) -> bool:
        """Whether the kernel has ended something in it for its memory since :meth:`ready`."""
        return self._count() > self._ended

    def _count(self) -> int:
        for name in self._counts:
            with contextlib.suppress(OSError):
                match = re.search(r"^oom_kill (\d+)", (self._directory / name).read_text(), re.M)
                if match:
                    self._counts = (name,)
                    return int(match[1])
        return 0

    def remove(self) -> None:
        """Remove it; the kernel lets go of the last process a little after its end."""
        if self._launcher is not None:
            self._launcher.close()
        for _ in range(50):
            try:
                self._directory.rmdir()
                return
            except FileNotFoundError:
                return
            except OSError:
                time.sleep(0.01)


class Cgroups:
    """The groups of one worker."""

    def __init__(self, mount: Path = MOUNT) -> None:
        self._mount = mount
        self._free: list[tuple[Limits, Cgroup]] = []
        self._lock = threading.Lock()
        weakref.finalize(self, _remove, self._free)

    @contextlib.contextmanager
    def hold(self, limits: Limits) -> Iterator[tuple[Cgroup, CgroupLauncher] | None]:
        """A group with the limits on memory and processes, and what starts a command in it.

        All that runs in it has ended when the block does.  None where there is no limit on memory,
        or no group can be made.
        """
        group = self._take(limits) if limits.memory is not None else None
        launcher = group.ready() if group is not None else None
        if group is None or launcher is None:
            if group is not None:
                group.remove()
            yield None
            return
        try:
            yield group, launcher
        finally:
            with self._lock:
                self._free.append((limits, group))

    def _take(self, limits: Limits) -> Cgroup | None:
        with self._lock:
            for place, (former, group) in enumerate(self._free):
                if former == limits:
                    del self._free[place]
                    return group
        own = Path("/proc/self/cgroup").read_text("ascii")
        for found in (_second(limits, self._mount, own), _first(limits, self._mount, own)):
            if found is not None:
                _sweep(found[0])
                return self._make(*found)
        return None

    def _make(self, parent: Path, files: dict[str, str]) -> Cgroup | None:
        """A group with these settings, or None where that is not allowed."""
        directory = parent / f"tea-{os.getpid()}-{next(_numbers)}"
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
        except OSError:
            with contextlib.suppress(OSError):
                directory.rmdir()
            return None
        return Cgroup(directory)

    def close(self) -> None:
        """Remove those that no command is in; it happens by itself when this object goes."""
        with self._lock:
            _remove(self._free)


def _remove(groups: list[tuple[Limits, Cgroup]]) -> None:
    while groups:
        groups.pop()[1].remove()


def _sweep(parent: Path) -> None:
    """Remove the groups of workers that are no more."""
    for directory in parent.glob("tea-*"):
        match = _NAME.fullmatch(directory.name)
        if match and not Path(f"/proc/{match[1]}").exists():
            with contextlib.suppress(OSError):
                directory.rmdir()


def _second(limits: Limits, mount: Path, own: str) -> tuple[Path, dict[str, str]] | None:
    """Where a group of version 2 is made, and its settings."""
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
        # besides: the launcher, bwrap outside and inside, and one to spare
        files["pids.max"] = str(limits.processes + 4)
    return parent, files


def _first(limits: Limits, mount: Path, own: str) -> tuple[Path, dict[str, str]] | None:
    """Where a group of version 1 is made, and its settings."""
    match = re.search(r"^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(/.*)$", own, re.M)
    if match is None:
        return None
    memory = str(limits.memory)
    return mount / "memory" / match[1].lstrip("/"), {
        "memory.limit_in_bytes": memory,
        "memory.memsw.limit_in_bytes": memory,
    }
