"""Folders that cannot be made or written: the next step depends on why."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tea_runner.core.errors import OutsideError
from tea_runner.host.private_folder import how_to_write, make_private_folder


def test_only_this_user_can_read_the_folder(tmp_path: Path) -> None:
    """It and those above it are made."""
    made = make_private_folder(tmp_path / "a" / "b", "state")

    assert made.stat().st_mode & 0o777 == 0o700


def test_a_file_in_the_way_is_an_error_with_the_setting(tmp_path: Path) -> None:
    """One sentence, and the setting that names another folder."""
    (tmp_path / "file").touch()
    with pytest.raises(OutsideError) as error:
        make_private_folder(tmp_path / "file" / "b", "state")

    assert "setting state" in error.value.message


@pytest.mark.parametrize(
    ("number", "step"),
    [
        (errno.ENOSPC, "free some space, or set scratch to another folder"),
        (errno.EDQUOT, "free some space, or set scratch to another folder"),
        (errno.EROFS, "change its permissions, or the setting scratch"),
        (errno.EACCES, "change its permissions, or the setting scratch"),
    ],
)
def test_a_full_disk_needs_space_and_no_permissions(number: int, step: str) -> None:
    """The advice helps."""
    assert step == how_to_write(OSError(number, os.strerror(number)), "scratch")
