"""Variables by which git and git-annex of this Python environment are found, and what they need."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path


def tool_path(variables: Mapping[str, str]) -> str:
    """``PATH`` for git and git-annex, made from the ``PATH`` of *variables*.

    First comes the git-annex program inside its wheel: the start script in ``bin`` imports Python before
    it executes that program.
    """
    wheel = _annex_wheel()
    parts = [str(wheel)] if wheel is not None else []
    parts.append(str(Path(sys.executable).parent))
    parts += variables.get("PATH", "/usr/local/bin:/usr/bin:/bin").split(":")
    return ":".join(dict.fromkeys(parts))


def tool_variables(variables: Mapping[str, str]) -> dict[str, str]:
    """``PATH`` as :func:`tool_path` makes it, and ``MAGIC`` where git-annex comes from its wheel.

    The wheel has a database of libmagic's format, for rules such as ``mimeencoding=binary``, which
    ``datalad create -c text2git`` writes.  Its start script sets ``MAGIC``; the program does not find the
    file by itself.
    """
    wheel = _annex_wheel()
    magic = wheel / "magic.mgc" if wheel is not None else None
    found = {"MAGIC": str(magic)} if magic is not None and magic.exists() else {}
    return {"PATH": tool_path(variables), **found}


def _annex_wheel() -> Path | None:
    """Folder of git-annex's wheel in this Python environment; None when it is not installed."""
    spec = importlib.util.find_spec("git_annex")
    folder = Path(spec.origin).parent if spec is not None and spec.origin else None
    return folder if folder is not None and (folder / "git-annex").exists() else None
