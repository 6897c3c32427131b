"""Classify branches by their names: git-annex's own, pull requests, results, those that settings select."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase

#: Prefix of the branches of approved pull requests; the request's number follows.
PULL_REQUEST_PREFIX = "pull/"
#: Prefix of the branches that hold the results of other branches; the branch's name follows.
RESULTS_PREFIX = "tea/results/"

#: git-annex's branch, in which it notes where content and storages are.
ANNEX_BRANCH = "git-annex"

#: What git-check-ref-format(1) forbids anywhere in a name.
_INVALID_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/$|^/|\.$|\.lock(/|$)|(^|/)\.")


def is_ref_name(ref: str) -> bool:
    """Whether git accepts a full name of a ref (git-check-ref-format(1)), and it can be stored."""
    try:
        ref.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return ref.startswith("refs/") and not _INVALID_REF.search(ref)


def belongs_to_annex(branch: str) -> bool:
    """Whether the branch is maintained by git-annex (``git-annex``, ``synced/…``)."""
    return branch == ANNEX_BRANCH or branch.startswith("synced/")


def maintainer(branch: str) -> str:
    """The program that maintains a branch, which is nobody's work; empty for others."""
    if belongs_to_annex(branch):
        return "git-annex"
    return "tea-runner" if holds_results(branch) else ""


def is_pull_request_branch(branch: str) -> bool:
    """Whether this is the branch of a pull request, whose content is untrusted."""
    return branch.startswith(PULL_REQUEST_PREFIX)


def holds_results(branch: str) -> bool:
    """Whether the branch holds results of another one, or is in the way of such branches."""
    return f"{branch}/".startswith(RESULTS_PREFIX)


def source_branch(branch: str) -> str:
    """The branch whose results this one holds; of any other branch itself."""
    return branch.removeprefix(RESULTS_PREFIX)


def matches_any(branch: str, patterns: Iterable[str]) -> bool:
    """Whether any pattern (``main``, ``release/*``, ``*``) matches the branch."""
    return any(fnmatchcase(branch, pattern) for pattern in patterns)


def exclusion(branch: str, patterns: Iterable[str], *, pull_requests: bool) -> str:
    """Why a branch is not processed; empty when it is.

    The one rule of receiver, reconciler, planner and terminal.

    :param branch: without ``refs/heads/``.
    :param patterns: the setting ``branches``.
    :param pull_requests: the setting ``pull_requests``; without it no pattern matches the branch of
        a pull request.
    """
    if branch.startswith("-") or not is_ref_name(f"refs/heads/{branch}"):
        return "git takes this name for an option, or for none of a branch"
    if program := maintainer(branch):
        return f"{program} maintains this branch"
    if is_pull_request_branch(branch) and not pull_requests:
        return "pull requests are not processed here; see pull_requests"
    if not matches_any(branch, patterns):
        return "the settings exclude this branch; see branches"
    return ""
