"""Folders that every user of the machine may read, whatever the umask of this process is."""

from __future__ import annotations

from pathlib import Path


def make_world_readable_folder(folder: Path) -> None:
    """Make a folder, and those above it that are missing; one that exists is left as it is.

    The command of a datum may run as another user, who needs to pass through all of them.
    """
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for each in reversed(missing):
        each.mkdir(exist_ok=True)
        each.chmod(0o755)
