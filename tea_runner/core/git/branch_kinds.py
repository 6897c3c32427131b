"""Classify branches by their names: git-annex's own, pull requests, those that settings select."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

#: Prefix of the branches of approved pull requests; the request's number follows.
PULL_REQUEST_PREFIX = "pull/"


def belongs_to_annex(branch: str) -> bool:
    """Whether the branch is maintained by git-annex (``git-annex``, ``synced/…``)."""
    return branch == "git-annex" or branch.startswith("synced/")


def is_pull_request_branch(branch: str) -> bool:
    """Whether this is the branch of a pull request, whose content is untrusted."""
    return branch.startswith(PULL_REQUEST_PREFIX)


def matches_any(branch: str, patterns: Iterable[str]) -> bool:
    """Whether any pattern (``main``, ``release/*``, ``*``) matches the branch."""
    return any(fnmatchcase(branch, pattern) for pattern in patterns)


def is_processed(branch: str, patterns: Iterable[str], *, pull_requests: bool) -> bool:
    """Whether the settings select this branch.

    :param patterns: the setting ``branches``.
    :param pull_requests: the setting ``pull_requests``; without it no pattern matches the branch of
        a pull request.
    """
    return (pull_requests or not is_pull_request_branch(branch)) and matches_any(branch, patterns)
