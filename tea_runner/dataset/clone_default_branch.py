"""The default branch of a user's clone."""

from __future__ import annotations

from tea_runner.core.git.branch_kinds import maintainer
from tea_runner.dataset.git_repository import GitRepository

_HEADS, _REMOTES = "refs/heads/", "refs/remotes/"
#: What hosts and git call a default branch.
_USUAL = ("main", "master")


def default_branch(repository: GitRepository, current: str) -> str:
    """Name of the default branch.

    It is that of the remote ``origin`` or of another remote, as fetched (``refs/remotes/NAME/HEAD``).
    Without one it is ``main`` or ``master`` if there is such a branch, else the given one.
    """
    heads = [ref for ref in repository.refs(_REMOTES) if ref.endswith("/HEAD")]
    for head in sorted(heads, key=lambda ref: (ref != f"{_REMOTES}origin/HEAD", ref)):
        target = repository.git("symbolic-ref", "-q", head, check=False).decode().strip()
        prefix = head.removesuffix("HEAD")
        if target.startswith(prefix):
            return target.removeprefix(prefix)
    names = {ref.removeprefix(_HEADS) for ref in repository.refs(_HEADS)}
    own = {name for name in names if not maintainer(name)}
    return next((name for name in _USUAL if name in own), current)
