"""A new DataLad dataset: made by DataLad once for each process of the tests, then copied."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import tempfile
from pathlib import Path

from tea_runner.host import process
from tea_runner.host.openat import remove_tree
from tea_runner.host.tool_search_path import tool_path


def create_dataset(path: Path) -> None:
    """What ``datalad create`` leaves, without the second that it takes.

    git-annex compares the inode of an empty file with the number that it noted: where a repository was
    copied, inodes tell it nothing of which files have changed.
    """
    shutil.copytree(_created(), path, symlinks=True)
    noted = path / ".git/annex/sentinal.cache"
    _, rest = noted.read_text().split(" ", 1)
    noted.unlink()
    noted.write_text(f"{(path / '.git/annex/sentinal').stat().st_ino} {rest}")


@functools.cache
def _created() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="tea-dataset-"))
    atexit.register(remove_tree, folder)
    path = folder / "dataset"
    env = {**os.environ, "PATH": tool_path(os.environ)}
    process.run(["datalad", "-l", "error", "create", str(path)], env=env, cwd=folder)
    return path
