"""This machine's file system in, the parts of it that a sandbox shows out.

Shown are ``/usr``, the links to it, and what :mod:`~tea_runner.sandbox.etc_folder` makes of
``/etc``.  Nothing of ``/home``, ``/root``, ``/var``, ``/run``, ``/srv``.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from tea_runner.sandbox.bubblewrap_options import Bind

_LINKED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")


@functools.lru_cache(maxsize=8)
def links(root: Path = Path("/")) -> tuple[tuple[str, str], ...]:
    """The links of the root directory into ``/usr``: name and target."""
    return tuple(
        (f"/{name}", os.readlink(root / name)) for name in _LINKED if (root / name).is_symlink()
    )


def system(extra: Iterable[Path], etc: Iterable[Bind], root: Path = Path("/")) -> tuple[Bind, ...]:
    """What every sandbox on this machine shows read-only, *extra* directories among it.

    :param etc: what is shown of ``/etc``.
    """
    result = [Bind(source="/usr", target="/usr"), *_own(root), *etc]
    for directory in extra:
        path = str(directory)
        if not any(path == bind.target or path.startswith(bind.target + "/") for bind in result):
            result.append(Bind(source=path, target=path))
    return tuple(result)


@functools.lru_cache(maxsize=8)
def _own(root: Path) -> tuple[Bind, ...]:
    """Directories of the root that are no links into ``/usr``."""
    return tuple(
        Bind(source=f"/{name}", target=f"/{name}")
        for name in _LINKED
        if (root / name).is_dir() and not (root / name).is_symlink()
    )


def interpreters() -> tuple[Path, ...]:
    """Where the running Python and its packages live, so that ``python3`` is the same inside."""
    return tuple(dict.fromkeys(Path(prefix) for prefix in (sys.base_prefix, sys.prefix)))


def default_path() -> str:
    """``PATH`` of a command whose pipeline names none."""
    places = [str(Path(sys.prefix) / "bin"), "/usr/local/bin", "/usr/bin", "/bin"]
    return ":".join(dict.fromkeys(places))
