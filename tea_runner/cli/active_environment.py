"""The virtual environment or conda environment of the terminal, which commands in the sandbox do not see.

Commands see what the settings say, so that a result does not depend on the terminal that it was made in.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_PATH = "/usr/local/bin:/usr/bin:/bin"


def active_environment_note(variables: Mapping[str, str], path: str, binds: Sequence[Path]) -> str:
    """How to show the active environment to commands, as a sentence; empty when there is none to show.

    :param path: ``sandbox.path`` of the settings; empty when it is not set.
    :param binds: ``sandbox.binds``.
    """
    active = variables.get("VIRTUAL_ENV") or variables.get("CONDA_PREFIX", "")
    folder = Path(active)
    if not active or not (folder / "bin").is_dir():
        return ""
    # The environment that tea-runner runs in is seen.
    if str(folder / "bin") in path.split(":") or folder.resolve() == Path(sys.prefix).resolve():
        return ""
    shown = ",".join(dict.fromkeys(map(str, [*binds, *_folders(folder)])))
    words = (
        *("tea-runner", "-c", f"sandbox.path={folder / 'bin'}:{path or _PATH}"),
        *("-c", f"sandbox.binds={shown}", "-c", "sandbox.identity=python", "run"),
    )
    return (
        f"commands do not see the active environment {active}, and it is in no key; show it to them, "
        f"with its packages in keys and manifests, with: {shlex.join(words)}"
    )


def _folders(environment: Path) -> list[Path]:
    """The environment, and the Python that a virtual environment was made with (``pyvenv.cfg``)."""
    config = environment / "pyvenv.cfg"
    lines = config.read_text("utf-8", "replace").splitlines() if config.is_file() else []
    rows = (line.partition("=") for line in lines)
    bases = [Path(value.strip()).parent for name, _, value in rows if name.strip() == "home"]
    return [environment, *(base for base in bases if not base.is_relative_to("/usr"))]
