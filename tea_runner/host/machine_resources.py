"""Resources of this machine: processors, memory, disk and graphics processors, within its control group."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from pathlib import Path

from tea_runner.core.resource_demand import OfferedResources

_SLASH = Path("/")


def machine_resources(folder: Path, root: Path = _SLASH) -> OfferedResources:
    """What this machine, or the container that this process runs in, has.

    :param folder: on the file system whose size counts; it need not exist.
    :param root: of ``/proc``, ``/sys`` and ``/dev``.
    """
    cpus = float(len(os.sched_getaffinity(0)))
    quota = _quota(root)
    return OfferedResources(
        cpus=min(cpus, quota) if quota else cpus,
        memory=_memory(root),
        disk=_disk(folder),
        gpus=len(nvidia_gpus(root)),
    )


def nvidia_gpus(root: Path = _SLASH) -> tuple[int, ...]:
    """Numbers of the NVIDIA graphics processors that the driver shows."""
    found = (re.fullmatch(r"nvidia(\d{1,3})", each.name) for each in (root / "dev").glob("nvidia*"))
    return tuple(sorted(int(match[1]) for match in found if match))


def _quota(root: Path) -> float:
    """Processors that the control group allows; 0 for any number."""
    groups = root / "sys/fs/cgroup"
    with contextlib.suppress(OSError, ValueError):
        quota, period = (groups / "cpu.max").read_text("ascii").split()
        return float(quota) / float(period)
    with contextlib.suppress(OSError, ValueError):
        quota_us = float((groups / "cpu/cpu.cfs_quota_us").read_text("ascii"))
        return max(0.0, quota_us / float((groups / "cpu/cpu.cfs_period_us").read_text("ascii")))
    return 0.0


def _memory(root: Path) -> int | None:
    """Bytes of memory: of the machine, or fewer where the control group allows fewer."""
    found = []
    with contextlib.suppress(OSError):
        match = re.search(
            r"^MemTotal:\s+(\d+) kB", (root / "proc/meminfo").read_text("ascii"), re.M
        )
        found += [int(match[1]) * 1024] if match else []
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):
            found.append(int((root / "sys/fs/cgroup" / name).read_text("ascii")))
    return min(found, default=None)


def _disk(folder: Path) -> int | None:
    for each in (folder, *folder.parents):
        with contextlib.suppress(OSError):
            return shutil.disk_usage(each).total
    return None
