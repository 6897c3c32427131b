"""Which files a commit changes, compared with a branch."""

from __future__ import annotations

from tea_runner.dataset.git_repository import GitRepository

#: What git calls the changes.
_WORDS = {"A": "added", "D": "removed", "M": "modified", "T": "modified"}


def changed_files(repository: GitRepository, branch_tip: str, commit: str) -> list[tuple[str, str]]:
    """(path, ``added``, ``removed`` or ``modified``) of each file that a commit changes.

    The comparison is with the commit at which its history left that of *branch_tip*; without one all
    files are new.

    :raises OutsideError: when one of the commits is not here.
    """
    bases = repository.git("merge-base", "--all", branch_tip, commit, check=False).split()
    if bases:
        arguments = ["diff-tree", "-r", "-z", "--name-status", "--no-renames", bases[0].decode()]
        fields = repository.git(*arguments, commit, why="listing changed files").split(b"\0")
        rows = zip(fields[1::2], fields[::2], strict=False)
    else:
        names = repository.git("ls-tree", "-r", "-z", "--name-only", commit, why="listing files")
        rows = zip(names.split(b"\0"), iter(lambda: b"A", b""), strict=False)
    return [
        (path.decode("utf-8", "surrogateescape"), _WORDS.get(kind.decode()[:1], "modified"))
        for path, kind in rows
        if path
    ]
