"""Put results into the working tree and the index of a clone, without a commit."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from tea_runner.core.errors import UserError
from tea_runner.core.git.tree import EXECUTABLE, FILES, LINK, TreeEntry, differences
from tea_runner.dataset.git_repository import GitRepository
from tea_runner.host import process

_Step = tuple[str, TreeEntry | None, TreeEntry | None]


def put_results(repository: GitRepository, worktree: Path, before: str, after: str) -> None:
    """Change the files of a working tree from one commit to another, and stage them.

    They are staged so that they are saved in the form that results have, whatever the rules say.

    :param before: the commit that the working tree was read as.
    :raises UserError: when a file is in the way that git does not know; nothing is changed then.
    """
    objects = repository.objects
    steps = [
        step
        for step in differences(
            objects.tree, objects.commit(before).tree, objects.commit(after).tree
        )
        if all(each is None or each.mode in (*FILES, LINK) for each in step[1:])
    ]
    for path, old, new in steps:
        if old is None and new is not None:
            _check_free(worktree, path)
    for path, _, new in sorted(steps, key=lambda step: step[2] is not None):
        _put(repository, worktree, path, new)
    _stage(repository, worktree, steps)


def _check_free(worktree: Path, path: str) -> None:
    parts = path.split("/")
    above = ["/".join(parts[:count]) for count in range(1, len(parts))]
    link = next((each for each in above if (worktree / each).is_symlink()), "")
    if link or os.path.lexists(worktree / path):
        raise UserError(
            f"{link or path} is in the way of a result, and git does not know it",
            hint="it is ignored or new: move it away and run again, nothing is computed twice",
        )


def _put(repository: GitRepository, worktree: Path, path: str, new: TreeEntry | None) -> None:
    file = worktree / path
    file.unlink(missing_ok=True)
    if new is None:
        with contextlib.suppress(OSError):  # it is not empty
            for folder in file.relative_to(worktree).parents[:-1]:
                (worktree / folder).rmdir()
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    if new.mode == LINK:
        target = repository.objects.blob(new.oid) or b""
        file.symlink_to(os.fsdecode(target))
        return
    repository.write_blob(new.oid, file)
    file.chmod(0o755 if new.mode == EXECUTABLE else 0o644)


def _stage(repository: GitRepository, worktree: Path, steps: list[_Step]) -> None:
    lines = [
        f"{new.mode:o} {new.oid}\t{path}\0"
        if new is not None
        else f"0 {'0' * len(old.oid if old else '')}\t{path}\0"
        for path, old, new in steps
    ]
    if lines:
        process.run(
            ["git", "update-index", "-z", "--index-info"],
            env=repository.environment.variables,
            cwd=worktree,
            stdin="".join(lines).encode("utf-8", "surrogateescape"),
            why="staging results",
        )
