"""Folders that only this user can read, made where they are missing."""

from __future__ import annotations

import errno
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
            hint=how_to_write(error, setting),
        ) from error
    return path


def how_to_write(error: OSError, setting: str) -> str:
    """What helps when a folder cannot be written.

    :param setting: the setting that names the folder.
    """
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"free some space, or set {setting} to another folder"
    return f"change its permissions, or the setting {setting}"
