"""``PATH`` for git and git-annex, with the programs of this Python environment first."""

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
    parts = []
    spec = importlib.util.find_spec("git_annex")
    if spec is not None and spec.origin and (Path(spec.origin).parent / "git-annex").exists():
        parts.append(str(Path(spec.origin).parent))
    parts.append(str(Path(sys.executable).parent))
    parts += variables.get("PATH", "/usr/local/bin:/usr/bin:/bin").split(":")
    return ":".join(dict.fromkeys(parts))
