"""Commits and files beside those that are looked at."""

from __future__ import annotations

from tea_runner.core.errors import NotFound, OutsideError
from tea_runner.core.git.tree import SUBMODULE, TREE
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.commit_tree import CommitTree


def other_commit(tip: CommitReader, commit: str) -> CommitReader | None:
    """Another commit of the same dataset, or None when it is not there."""
    try:
        here = tip.tree
        other = CommitTree(
            here.objects,
            commit,
            here.cache,
            subdatasets=here.subdatasets,
            path=here.path,
            repository=here.repository,
        )
        return CommitReader(other)
    except OutsideError:
        return None


def files_at(tip: CommitReader, path: str) -> list[str]:
    """The file, or all files below the directory.

    :raises NotFound: when the commit has no such path.
    """
    at, rest = tip.resolve(path)
    entry = at.tree.entry(rest) if rest else None
    if entry is not None and entry.mode not in (TREE, SUBMODULE):
        return [path]
    before = path[: len(path) - len(rest)]
    found = [before + one for one in at.tree.files_below(rest)] if entry is not None else []
    if not found:
        raise NotFound(f"there is no file {path or 'here'} in commit {tip.tree.commit[:12]}")
    return found
