"""Unsaved files of a working tree; nothing is written, not even git's index."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tea_runner.core.datums.content_identity import SMALL_BLOB
from tea_runner.core.git.tree import EXECUTABLE, LINK, PLAIN
from tea_runner.core.results.largefiles import simple
from tea_runner.dataset.annex_branch_files import default_largefiles
from tea_runner.dataset.attributes import UNSPECIFIED
from tea_runner.dataset.git_repository import GitRepository
from tea_runner.host import process

_ANNEX = "refs/heads/git-annex"
#: git's mode and the content of a file; None for content that is too large for a pipeline file.
FileState = tuple[int, bytes | None]
#: Bytes of the largest file that is read: a pipeline file may have 64 KiB, and one that is larger must be
#: reported.
_LARGEST = 2 * SMALL_BLOB + 1


def unsaved_paths(worktree: Path, variables: Mapping[str, str]) -> list[str]:
    """Paths of all files that differ from HEAD and are not ignored, as git lists them.

    A folder without any saved file is one path, with a slash at its end; a subdataset is listed when
    another commit of it is checked out.

    :raises CommandError: when git fails.
    """
    options = ("--untracked-files=normal", "--ignore-submodules=dirty")
    return _changed_paths(worktree, variables, options)


def unsaved(worktree: Path, variables: Mapping[str, str]) -> dict[str, FileState | None]:
    """Path to state of all files that differ from HEAD and are not ignored; None for deleted files.

    :raises CommandError: when git fails.
    """
    return {path: unsaved_state(worktree / path) for path in unsaved_files(worktree, variables)}


def unsaved_files(worktree: Path, variables: Mapping[str, str]) -> list[str]:
    """Paths of all files that differ from HEAD and are not ignored, without those of subdatasets.

    :raises CommandError: when git fails.
    """
    options = ("--untracked-files=all", "--ignore-submodules=all")
    paths = _changed_paths(worktree, variables, options)
    # A path with a slash at its end is a repository.
    return [path for path in paths if not path.endswith("/")]


def _changed_paths(
    worktree: Path, variables: Mapping[str, str], options: Sequence[str]
) -> list[str]:
    argv = ["git", "status", "--porcelain=v1", "-z", "--no-renames", *options]
    # Without this, git status writes the index (git(1)).
    env = {**variables, "GIT_OPTIONAL_LOCKS": "0"}
    done = process.run(argv, env=env, cwd=worktree, why="reading the working tree")
    rows = done.stdout.decode("utf-8", "surrogateescape").split("\0")
    return [row[3:] for row in rows if row]


def everything(folder: Path) -> dict[str, FileState | None]:
    """Path to state of all files of a folder that is not in a repository."""
    return {
        path.relative_to(folder).as_posix(): state
        for path in _walk(folder)
        if (state := unsaved_state(path)) is not None
    }


def unsaved_state(path: Path) -> FileState | None:
    """State of one file; None when it does not exist or git cannot store it."""
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


def annexed(repository: GitRepository, worktree: Path, paths: Sequence[str]) -> list[str]:
    """Those of the paths whose files would be annexed when they are saved now."""
    if not paths or not (repository.git_dir / "annex").is_dir():
        return []
    argv = ["git", "check-attr", "-z", "--stdin", "annex.largefiles"]
    stdin = "".join(path + "\0" for path in paths).encode("utf-8", "surrogateescape")
    done = process.run(argv, env=repository.environment.variables, cwd=worktree, stdin=stdin)
    values = done.stdout.decode("utf-8", "surrogateescape").split("\0")[2::3]
    # Expressions that depend on content, such as text2git's, keep text in git: they are left out.
    tip = repository.refs(_ANNEX).get(_ANNEX)
    default = default_largefiles(repository.objects, tip)
    rules = [default or value if value == UNSPECIFIED else value for value in values]
    return [path for path, rule in zip(paths, rules, strict=True) if simple(rule)]
