"""Save files of a working tree as ``datalad save`` does: annexed or in git as the dataset says."""

from __future__ import annotations

import os
from collections.abc import Sequence

from tea_runner.core.errors import CommandError, UserError
from tea_runner.dataset.local_clone import CloneRepository
from tea_runner.host import process


def save_files(repository: CloneRepository, paths: Sequence[str], message: str, who: str) -> str:
    """Commit these files as they are now, and nothing else; returns the commit.

    What is staged of other files stays staged.  A deleted file is deleted in the commit.

    :param who: author where git knows no name of the user, ``Name <address>``.
    :returns: the commit; empty when no file differs from the last one.
    :raises UserError: when git or git-annex refuses, with what it wrote.
    """
    worktree, git_dir = repository.worktree, repository.git_dir
    env = dict(repository.environment.variables)
    if not repository.git("config", "user.email", check=False):
        name, _, address = who.rpartition(" <")
        for role in ("AUTHOR", "COMMITTER"):
            env.update({f"GIT_{role}_NAME": name, f"GIT_{role}_EMAIL": address.rstrip(">")})
    present = [path for path in paths if os.path.lexists(worktree / path)]
    before = repository.git("rev-parse", "-q", "--verify", "HEAD", check=False)
    try:
        if present and (git_dir / "annex").is_dir():
            argv = ["git", "annex", "add", "--quiet", "--batch", "-z"]
            # git-annex calls git with patterns of its own; the names on its input are none.
            own = {name: value for name, value in env.items() if name != "GIT_LITERAL_PATHSPECS"}
            process.run(argv, env=own, cwd=worktree, stdin=_listed(present), timeout=None)
        elif present:
            argv = ["git", "add", "--pathspec-from-file=-", "--pathspec-file-nul"]
            process.run(argv, env=env, cwd=worktree, stdin=_listed(present), timeout=None)
        differs = ["git", "status", "--porcelain", "-z", "--untracked-files=no", "--no-renames"]
        known = process.run(differs, env=env, cwd=worktree).stdout.split(b"\0")
        changed = {row[3:] for row in known if row}
        rest = [path for path in paths if os.fsencode(path) in changed]
        if not rest:
            return ""
        argv = ["git", "commit", "-q", "-m", message, "--only"]
        argv += ["--pathspec-from-file=-", "--pathspec-file-nul"]
        process.run(argv, env=env, cwd=worktree, stdin=_listed(rest), timeout=None)
    except CommandError as error:
        text = error.stderr.strip() or error.message
        raise UserError(f"files cannot be saved: {text}") from error
    after = repository.git("rev-parse", "-q", "--verify", "HEAD", check=False)
    return after.decode().strip() if after != before else ""


def _listed(paths: Sequence[str]) -> bytes:
    return b"".join(os.fsencode(path) + b"\0" for path in paths)
