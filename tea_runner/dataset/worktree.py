"""A folder in, what lies in it that no commit holds out; nothing is written, not even git's index."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tea_runner.core.datums.content_identity import SMALL_BLOB
from tea_runner.core.git.tree import EXECUTABLE, LINK, PLAIN
from tea_runner.core.results.largefiles import simple
from tea_runner.dataset.mirror import Mirror
from tea_runner.host import process

#: Mode and content of a file; None for a content too large to be a pipeline file.
Found = tuple[int, bytes | None]
#: Largest file that is read: a pipeline file may have 64 KiB, and one that is larger has to be told.
_LARGEST = 2 * SMALL_BLOB + 1


def unsaved(worktree: Path, variables: Mapping[str, str]) -> dict[str, Found | None]:
    """Path to what lies there, for all that differs from HEAD and is not ignored.

    :raises CommandError: when git cannot say.
    """
    argv = [
        "git",
        "status",
        "--porcelain=v1",
        "-z",
        "--no-renames",
        "--untracked-files=all",
        "--ignore-submodules=all",
    ]
    env = {**variables, "GIT_OPTIONAL_LOCKS": "0"}
    done = process.run(argv, env=env, cwd=worktree, why="looking at the working tree")
    rows = done.stdout.decode("utf-8", "surrogateescape").split("\0")
    paths = [row[3:] for row in rows if row]
    # A path that ends in a slash is a repository of its own.
    return {path: unsaved_state(worktree / path) for path in paths if not path.endswith("/")}


def everything(folder: Path) -> dict[str, Found | None]:
    """Path to what lies there, for all files of a folder that is in no repository."""
    return {
        path.relative_to(folder).as_posix(): found
        for path in _walk(folder)
        if (found := unsaved_state(path)) is not None
    }


def unsaved_state(path: Path) -> Found | None:
    """One file as git would keep it; None where there is none."""
    try:
        facts = path.lstat()
        if stat.S_ISLNK(facts.st_mode):
            return LINK, os.fsencode(os.readlink(path))
        if not stat.S_ISREG(facts.st_mode):
            return None
        mode = EXECUTABLE if facts.st_mode & 0o100 else PLAIN
        return mode, path.read_bytes() if facts.st_size <= _LARGEST else None
    except OSError:
        return None


def _walk(folder: Path) -> Iterator[Path]:
    for base, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            yield Path(base) / name


def annexed(mirror: Mirror, worktree: Path, paths: Sequence[str]) -> list[str]:
    """Those of the paths that git-annex would take when they are saved now."""
    if not paths or not (mirror.git_dir / "annex").is_dir():
        return []
    argv = ["git", "check-attr", "-z", "--stdin", "annex.largefiles"]
    stdin = "".join(path + "\0" for path in paths).encode("utf-8", "surrogateescape")
    done = process.run(argv, env=mirror.environment.variables, cwd=worktree, stdin=stdin)
    values = done.stdout.decode("utf-8", "surrogateescape").split("\0")[2::3]
    # An expression such as text2git's keeps text in git; what is undecided here is left alone.
    return [path for path, value in zip(paths, values, strict=True) if simple(value)]
