"""A branch's name in, whose branch it is and whether the settings name it out."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

#: Branches of approved commits of pull requests are this and the request's number.
PULLS = "pull/"


def belongs_to_annex(branch: str) -> bool:
    """Whether git-annex keeps its own account there, so that nobody works on it."""
    return branch == "git-annex" or branch.startswith("synced/")


def is_pull(branch: str) -> bool:
    """Whether this is the branch of a pull request: what stands there came from anybody."""
    return branch.startswith(PULLS)


def is_named(branch: str, patterns: Iterable[str]) -> bool:
    """Whether a pattern such as ``main``, ``release/*`` or ``*`` names this branch."""
    return any(fnmatchcase(branch, pattern) for pattern in patterns)


def is_processed(branch: str, patterns: Iterable[str], *, pull_requests: bool) -> bool:
    """Whether the settings have this branch processed.

    :param patterns: of the setting ``branches``.
    :param pull_requests: the setting of that name; without it no pattern names a pull request's branch.
    """
    return (pull_requests or not is_pull(branch)) and is_named(branch, patterns)
