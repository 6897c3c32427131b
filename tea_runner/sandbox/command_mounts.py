"""Host paths that a command sees, and where: the same for every kind of environment."""

from __future__ import annotations

import csv
import io
from pathlib import Path, PurePosixPath

from tea_runner.core.errors import Refused
from tea_runner.host.world_readable_folder import make_world_readable_folder
from tea_runner.sandbox.execution_environment import DATASET, PFS, Execution, Mount

#: Paths that no mount may cover: the environment's own.
_RESERVED = ("/", "/proc", "/dev", "/sys", "/usr", "/etc", "/bin", "/sbin", "/lib", "/lib64")


def mounts(execution: Execution) -> tuple[Mount, ...]:
    """The mounts of a command, outer paths before inner ones.

    Each input is mounted by itself: the mount point ``/pfs/out`` could not be made in a read-only ``/pfs``.

    :raises Refused: for a target that is relative or reserved.
    """
    result: list[Mount] = []
    if execution.code is not None:
        result.append(
            Mount(source=execution.code, target=DATASET, writable=execution.code_writable)
        )
    if execution.view is not None:
        result.extend(
            Mount(source=child, target=f"{PFS}/{child.name}")
            for child in sorted(execution.view.iterdir())
        )
    if execution.out is not None:
        _make_mount_point(execution)
        result.append(Mount(source=execution.out, target=execution.out_at, writable=True))
    result.extend(execution.mounts)
    for mount in result:
        path = PurePosixPath(mount.target)
        absolute = path.is_absolute() and ".." not in path.parts
        if not absolute or str(path) in _RESERVED or path.parts[1] in ("proc", "sys", "dev"):
            raise Refused(
                f"nothing can be mounted at {mount.target!r}", hint="choose another absolute path"
            )
    return tuple(result)


def _make_mount_point(execution: Execution) -> None:
    """Make the mount point of the outputs, when it lies inside the dataset's code."""
    if execution.code is not None and execution.out_at.startswith(DATASET + "/"):
        inside = execution.code / execution.out_at.removeprefix(DATASET + "/")
        make_world_readable_folder(inside)


def working_directory(execution: Execution) -> str:
    """The directory that the command starts in, as a path inside."""
    if execution.cwd:
        if execution.cwd.startswith("/"):
            return execution.cwd
        return str(PurePosixPath(DATASET if execution.code is not None else PFS) / execution.cwd)
    if execution.code is not None:
        return DATASET
    return execution.out_at if execution.out is not None else "/"


def writable(execution: Execution) -> tuple[Path, ...]:
    """Host paths that the command may write to."""
    result = [execution.out] if execution.out is not None else []
    if execution.code is not None and execution.code_writable:
        result.append(execution.code)
    return (*result, *(mount.source for mount in execution.mounts if mount.writable))


def bind_option(mount: Mount) -> str:
    """Value of ``--mount`` for Docker, Podman and Apptainer: a line of CSV, so any path can be written."""
    line = io.StringIO()
    fields = ["type=bind", f"source={mount.source}", f"target={mount.target}"]
    csv.writer(line, lineterminator="").writerow(fields + ([] if mount.writable else ["ro"]))
    return line.getvalue()
