"""A new DataLad dataset: made by DataLad once for each process of the tests, then copied."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tea_runner.host import process
from tea_runner.host.openat import remove_tree
from tea_runner.host.tool_search_path import tool_path


def create_dataset(path: Path, env: Mapping[str, str]) -> None:
    """What ``datalad create`` leaves, without the second that it takes.

    git-annex compares the inode of an empty file with the number that it noted: where a repository was
    copied, inodes tell it nothing of which files have changed.

    :param env: variables of the programs; the name of the branch is that of git's configuration there.
    """
    shutil.copytree(_created(tuple(sorted(env.items()))), path, symlinks=True)
    noted = path / ".git/annex/sentinal.cache"
    _, rest = noted.read_text().split(" ", 1)
    noted.unlink()
    noted.write_text(f"{(path / '.git/annex/sentinal').stat().st_ino} {rest}")


@functools.cache
def _created(variables: tuple[tuple[str, str], ...]) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="tea-dataset-"))
    atexit.register(remove_tree, folder)
    path = folder / "dataset"
    env = {**dict(variables), "PATH": tool_path(dict(variables))}
    process.run(["datalad", "-l", "error", "create", str(path)], env=env, cwd=folder)
    return path
