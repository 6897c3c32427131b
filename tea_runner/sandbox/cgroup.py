"""Cgroups that limit memory, processors and processes of commands, where the system allows to make them.

A cgroup also counts ``/tmp`` (tmpfs) and page tables, and enforces its limits exactly.  Version 2 needs a
delegated cgroup (systemd: ``Delegate=yes``, ``DelegateSubgroup=worker``), and new cgroups are made beside the
worker's own.  Version 1 needs root.  Without either, the sum of the memory is watched instead
(:func:`~tea_runner.sandbox.resource_limits.memory_used`).

A cgroup, with the launcher that starts commands in it, is reused by commands with the same limits: making,
joining and leaving one take milliseconds each.  What an earlier command leaves in it is page cache, which
the kernel reclaims.  Cgroups are removed with the worker; those of workers that died are removed when
another worker makes its first.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path

from tea_runner.sandbox.cgroup_fork_client import CgroupForkClient
from tea_runner.sandbox.execution_environment import Limits

MOUNT = Path("/sys/fs/cgroup")
#: Bytes of memory of a cgroup that is made for a trial.
_TRIAL_MEMORY = 1 << 26
#: Beginnings of the names of files that a cgroup may lack.
_OPTIONAL = ("memory.swap", "memory.memsw", "cpu")
#: Microseconds in which processes may use the processors for their share.
_PERIOD = 100_000
_NAME = re.compile(r"tea-(\d+)-\d+")
#: Numbers of this process's cgroups, for unique names.
_numbers = itertools.count()


class Cgroup:
    """A cgroup that runs one command at a time, with the launcher in it."""

    def __init__(self, directory: Path, others: Sequence[Path] = ()) -> None:
        self._directory, self._others = directory, others
        self._oom_kills = 0
        #: The most memory that :meth:`oom` has seen since :meth:`ready`, in bytes.
        self.peak = 0
        #: Files with the kernel's counter of OOM kills, in version 2 and in version 1.
        self._counters: tuple[str, ...] = ("memory.events", "memory.oom_control")
        self._launcher: CgroupForkClient | None = None

    def ready(self) -> CgroupForkClient | None:
        """The launcher for the next command; None when it cannot be moved into the cgroup."""
        self._oom_kills = self._count_oom_kills()
        self.peak = 0
        if self._launcher is not None and not self._launcher.alive:
            self._launcher.close()
            self._launcher = None
        if self._launcher is None:
            launcher = CgroupForkClient()
            try:
                for each in (self._directory, *self._others):
                    (each / "cgroup.procs").write_text(str(launcher.pid))
            except OSError:
                launcher.close()
                return None
            self._launcher = launcher
        return self._launcher

    def oom(self) -> bool:
        """Whether the kernel's OOM killer has killed a process in it since :meth:`ready`."""
        self.peak = max(self.peak, self._memory())
        return self._count_oom_kills() > self._oom_kills

    def _memory(self) -> int:
        """Bytes of memory of its processes now, without page cache, which the kernel's own peak includes."""
        try:
            rows = (self._directory / "memory.stat").read_bytes().split()
        except OSError:
            return 0
        numbers = dict(zip(rows[::2], rows[1::2], strict=False))
        private = numbers.get(b"anon") or numbers.get(b"total_rss") or b"0"
        shared = numbers.get(b"total_shmem") or numbers.get(b"shmem") or b"0"
        return int(private) + int(shared)

    def _count_oom_kills(self) -> int:
        for name in self._counters:
            with contextlib.suppress(OSError):
                match = re.search(r"^oom_kill (\d+)", (self._directory / name).read_text(), re.M)
                if match:
                    self._counters = (name,)
                    return int(match[1])
        return 0

    def limits_cpus(self) -> bool:
        """Whether it has a file with a limit on processors."""
        return bool(self._others) or (self._directory / "cpu.max").exists()

    def remove(self) -> None:
        """Remove it, waiting up to 0.5 s: its last process leaves it a little after its end."""
        if self._launcher is not None:
            self._launcher.close()
        left = [self._directory, *self._others]
        for _ in range(50):
            left = [each for each in left if not _is_removed(each)]
            if not left:
                return
            time.sleep(0.01)


class Cgroups:
    """The cgroups of one worker.

    :param mount: where the cgroup file system is mounted.
    """

    def __init__(self, mount: Path = MOUNT) -> None:
        self._mount = mount
        self._idle: list[tuple[Limits, Cgroup]] = []
        self._lock = threading.Lock()
        weakref.finalize(self, _remove, self._idle)

    @contextlib.contextmanager
    def hold(self, limits: Limits) -> Iterator[tuple[Cgroup, CgroupForkClient] | None]:
        """A cgroup with these limits on memory, processors and processes, and its launcher, for one command.

        The caller ends all processes in it before it leaves the block.  None when there is no limit on
        memory or processors, or no cgroup can be made.
        """
        is_limited = limits.memory is not None or limits.cpus is not None
        group = self._take(limits) if is_limited else None
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
                self._idle.append((limits, group))

    def can_be_made(self) -> bool:
        """Whether a cgroup with a limit on memory can be made here."""
        with self.hold(Limits(memory=_TRIAL_MEMORY)) as held:
            return held is not None

    def _take(self, limits: Limits) -> Cgroup | None:
        with self._lock:
            for index, (its_limits, group) in enumerate(self._idle):
                if its_limits == limits:
                    del self._idle[index]
                    return group
        own = Path("/proc/self/cgroup").read_text("ascii")
        for new in (_version_2(limits, self._mount, own), _version_1(limits, self._mount, own)):
            if new is not None:
                _remove_cgroups_of_dead_workers(new[0])
                return self._make(*new, limits)
        return None

    def _make(self, parent: Path, files: dict[str, str], limits: Limits) -> Cgroup | None:
        """A new cgroup with these settings, or None where that is not permitted."""
        directory = parent / f"tea-{os.getpid()}-{next(_numbers)}"
        try:
            directory.mkdir()
        except OSError:
            return None
        try:
            for name, value in files.items():
                # Not every kernel accounts swap, nor is every controller delegated; all others must exist.
                if name.startswith(_OPTIONAL) and not (directory / name).exists():
                    continue
                (directory / name).write_text(value)
        except OSError:
            with contextlib.suppress(OSError):
                directory.rmdir()
            return None
        processors = _processors_version_1(limits, self._mount, directory.name)
        return Cgroup(directory, [processors] if processors is not None else [])

    def limits_cpus(self) -> bool:
        """Whether a cgroup with a limit on processors can be made here."""
        with self.hold(Limits(memory=_TRIAL_MEMORY, cpus=1.0)) as held:
            return held is not None and held[0].limits_cpus()

    def close(self) -> None:
        """Remove the idle cgroups; also done when this object is garbage-collected."""
        with self._lock:
            _remove(self._idle)


def _remove(groups: list[tuple[Limits, Cgroup]]) -> None:
    while groups:
        groups.pop()[1].remove()


def _remove_cgroups_of_dead_workers(parent: Path) -> None:
    """Remove the cgroups of workers that have died."""
    for directory in parent.glob("tea-*"):
        match = _NAME.fullmatch(directory.name)
        if match and not Path(f"/proc/{match[1]}").exists():
            with contextlib.suppress(OSError):
                directory.rmdir()


def _version_2(limits: Limits, mount: Path, own: str) -> tuple[Path, dict[str, str]] | None:
    """Parent directory and settings of a new cgroup of version 2 (cgroups(7))."""
    match = re.search(r"^0::(/.*)$", own, re.M)
    if match is None or not (mount / "cgroup.controllers").exists():
        return None
    # Beside the worker's own: a cgroup with processes cannot enable controllers for children.
    parent = (mount / match[1].lstrip("/")).parent
    if not parent.is_relative_to(mount):
        return None
    files = {
        "memory.max": "max" if limits.memory is None else str(limits.memory),
        "memory.swap.max": "0",
        "memory.oom.group": "1",
    }
    if limits.processes is not None:
        # Added: the launcher, bwrap outside and inside, and one to spare.
        files["pids.max"] = str(limits.processes + 4)
    if limits.cpus is not None:
        files["cpu.max"] = f"{int(limits.cpus * _PERIOD)} {_PERIOD}"
    return parent, files


def _version_1(limits: Limits, mount: Path, own: str) -> tuple[Path, dict[str, str]] | None:
    """Parent directory and settings of a new cgroup of version 1."""
    match = re.search(r"^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(/.*)$", own, re.M)
    if match is None:
        return None
    memory = "-1" if limits.memory is None else str(limits.memory)
    return mount / "memory" / match[1].lstrip("/"), {
        "memory.limit_in_bytes": memory,
        "memory.memsw.limit_in_bytes": memory,
    }


def _processors_version_1(limits: Limits, mount: Path, name: str) -> Path | None:
    """A new cgroup of version 1 that limits processors; None where there is no limit, or none can be made."""
    controller = mount / "cpu"
    if limits.cpus is None or not (controller / "cpu.cfs_quota_us").exists():
        return None
    own = re.search(
        r"^\d+:(?:[^:]*,)?cpu(?:,[^:]*)?:(/.*)$", Path("/proc/self/cgroup").read_text("ascii"), re.M
    )
    parent = controller / (own[1].lstrip("/") if own else "")
    _remove_cgroups_of_dead_workers(parent)
    directory = parent / name
    try:
        directory.mkdir()
        (directory / "cpu.cfs_period_us").write_text(str(_PERIOD))
        # The kernel's least is a millisecond.
        (directory / "cpu.cfs_quota_us").write_text(str(max(1000, int(limits.cpus * _PERIOD))))
    except OSError:
        with contextlib.suppress(OSError):
            directory.rmdir()
        return None
    return directory


def _is_removed(directory: Path) -> bool:
    """Remove a cgroup; whether it is gone."""
    try:
        directory.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
