"""The parts of this machine's file system that every sandbox shows read-only.

They are ``/usr``, the links to it, and what :mod:`~tea_runner.sandbox.etc_folder` makes of ``/etc``.
Nothing of ``/home``, ``/root``, ``/var``, ``/run`` and ``/srv`` is shown.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from tea_runner.sandbox.bubblewrap_options import Bind

#: Names in the root directory that are links into ``/usr`` on systems with a merged ``/usr``.
_USR_MERGED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")


@functools.lru_cache(maxsize=8)
def links(root: Path = Path("/")) -> tuple[tuple[str, str], ...]:
    """Name and target of the links in the root directory that lead into ``/usr``."""
    return tuple(
        (f"/{name}", os.readlink(root / name)) for name in _USR_MERGED if (root / name).is_symlink()
    )


def system(extra: Iterable[Path], etc: Iterable[Bind], root: Path = Path("/")) -> tuple[Bind, ...]:
    """Read-only binds of every sandbox on this machine.

    :param extra: further directories, shown at their own paths.
    :param etc: the binds for ``/etc``.
    """
    result = [Bind(source="/usr", target="/usr"), *_unmerged(root), *etc]
    for directory in extra:
        path = str(directory)
        if not any(path == bind.target or path.startswith(bind.target + "/") for bind in result):
            result.append(Bind(source=path, target=path))
    return tuple(result)


@functools.lru_cache(maxsize=8)
def _unmerged(root: Path) -> tuple[Bind, ...]:
    """Those of the names that are directories of their own."""
    return tuple(
        Bind(source=f"/{name}", target=f"/{name}")
        for name in _USR_MERGED
        if (root / name).is_dir() and not (root / name).is_symlink()
    )


def interpreters() -> tuple[Path, ...]:
    """Directories of the running Python, so that ``python3`` is the same one inside."""
    return tuple(dict.fromkeys(Path(prefix) for prefix in (sys.base_prefix, sys.prefix)))


def default_path() -> str:
    """``PATH`` of commands whose pipeline sets none."""
    directories = [str(Path(sys.prefix) / "bin"), "/usr/local/bin", "/usr/bin", "/bin"]
    return ":".join(dict.fromkeys(directories))
