"""An execution in, what is shown where out: the same list for every kind of environment."""

from __future__ import annotations

import csv
import io
from pathlib import Path, PurePosixPath

from tea_runner.core.errors import Refused
from tea_runner.sandbox.protocol import DATASET, PFS, Execution, Mount

#: Where nothing may be shown: the sandbox's own places, and what would hide them.
_TAKEN = ("/", "/proc", "/dev", "/sys", "/usr", "/etc", "/bin", "/sbin", "/lib", "/lib64")


def mounts(execution: Execution) -> tuple[Mount, ...]:
    """What the command is shown, the outer before the inner.

    Each input is shown by itself, because a place for ``/pfs/out`` cannot be made in a directory
    that is read-only.

    :raises Refused: for a place that cannot be taken.
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
        _make_place(execution)
        result.append(Mount(source=execution.out, target=execution.out_at, writable=True))
    result.extend(execution.mounts)
    for mount in result:
        path = PurePosixPath(mount.target)
        above = path.is_absolute() and ".." not in path.parts
        if not above or str(path) in _TAKEN or path.parts[1] in ("proc", "sys", "dev"):
            raise Refused(f"nothing can be shown at {mount.target!r}; choose another absolute path")
    return tuple(result)


def _make_place(execution: Execution) -> None:
    """The outputs' place inside the code: a directory that has to be there to be covered."""
    if execution.code is not None and execution.out_at.startswith(DATASET + "/"):
        inside = execution.code / execution.out_at.removeprefix(DATASET + "/")
        inside.mkdir(parents=True, exist_ok=True)


def working_directory(execution: Execution) -> str:
    """Where the command begins."""
    if execution.cwd:
        if execution.cwd.startswith("/"):
            return execution.cwd
        return str(PurePosixPath(DATASET if execution.code is not None else PFS) / execution.cwd)
    if execution.code is not None:
        return DATASET
    return execution.out_at if execution.out is not None else "/"


def writable(execution: Execution) -> tuple[Path, ...]:
    """The host directories that the command may write to."""
    result = [execution.out] if execution.out is not None else []
    if execution.code is not None and execution.code_writable:
        result.append(execution.code)
    return (*result, *(mount.source for mount in execution.mounts if mount.writable))


def bind_option(mount: Mount) -> str:
    """What ``--mount`` of all engines takes: a line of CSV, so that any path can be written."""
    line = io.StringIO()
    fields = ["type=bind", f"source={mount.source}", f"target={mount.target}"]
    csv.writer(line, lineterminator="").writerow(fields + ([] if mount.writable else ["ro"]))
    return line.getvalue()
