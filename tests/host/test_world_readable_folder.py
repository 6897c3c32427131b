"""Folders for commands are open whatever the umask is."""

from __future__ import annotations

import os
from pathlib import Path

from tea_runner.host.world_readable_folder import make_world_readable_folder


def test_all_new_folders_are_open_and_others_stay_as_they_are(tmp_path: Path) -> None:
    """A person's umask may close everything to others."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    before = os.umask(0o077)
    try:
        make_world_readable_folder(closed / "a" / "b")
        make_world_readable_folder(closed / "a" / "b")
    finally:
        os.umask(before)

    modes = [path.stat().st_mode & 0o777 for path in (closed, closed / "a", closed / "a/b")]
    assert [0o700, 0o755, 0o755] == modes
