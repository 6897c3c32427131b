"""The commits that last wrote paths."""

from __future__ import annotations

from collections.abc import Mapping

from tea_runner.core.planning.explanation import Made
from tea_runner.dataset.git_repository import GitRepository


def last_writer(repository: GitRepository, commit: str, path: str) -> Made | None:
    """The commit that last wrote a path, as of a commit; for results it has the run record."""
    out = repository.git("log", "-1", "--format=%H %s", commit, "--", path, check=False)
    found, _, subject = out.decode("utf-8", "replace").strip().partition(" ")
    return Made(found, subject) if found else None


def last_writers(repository: GitRepository, commit: str, home: str) -> Mapping[str, Made]:
    """For each path below a directory, the commit that last wrote it.  Reads the directory's history."""
    out = repository.git(
        "log",
        "--topo-order",
        "--format=%x01%H %s",
        "--name-only",
        "-z",
        commit,
        "--",
        home or ".",
        check=False,
    ).decode("utf-8", "surrogateescape")
    found: dict[str, Made] = {}
    for block in out.split("\x01")[1:]:
        head, _, names = block.partition("\0")
        writer, _, subject = head.partition(" ")
        for name in names.lstrip("\n").split("\0"):
            if name:
                found.setdefault(name.lstrip("\n"), Made(writer, subject))
    return found
