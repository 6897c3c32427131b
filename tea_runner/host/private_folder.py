"""Folders that only this user can read, made where they are missing."""

from __future__ import annotations

from pathlib import Path

from tea_runner.core.errors import OutsideError


def make_private_folder(path: Path, setting: str) -> Path:
    """Make a folder, if it is missing, and those above it.

    :param setting: the setting that names it.
    :raises OutsideError: when it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise OutsideError(
            f"{path} cannot be written: {error.strerror}",
            hint=f"change its permissions, or the setting {setting}",
        ) from error
    return path
