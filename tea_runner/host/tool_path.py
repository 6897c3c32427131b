"""``PATH`` for git and git-annex: the programs of this Python environment come first."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path


def tool_path(variables: Mapping[str, str]) -> str:
    """``PATH`` for git and git-annex: the wheel's program itself before its slower start script."""
    parts = []
    found = importlib.util.find_spec("git_annex")
    if found is not None and found.origin and (Path(found.origin).parent / "git-annex").exists():
        parts.append(str(Path(found.origin).parent))
    parts.append(str(Path(sys.executable).parent))
    parts += variables.get("PATH", "/usr/local/bin:/usr/bin:/bin").split(":")
    return ":".join(dict.fromkeys(parts))
