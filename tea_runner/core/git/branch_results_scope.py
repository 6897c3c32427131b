"""Scopes: which results a branch may read and write.

The trusted scope is the empty string: every branch may use its results.  A branch that is not
trusted has a scope of its own; it also reads the trusted results, and writes to its own scope only.
So a person who can push to *some* branch cannot change the results of another.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from tea_runner.core.git.branch_kinds import (
    is_pull_request_branch,
    matches_any,
    source_branch,
)

#: Ref prefixes of unpublished results: of trusted branches, and of each other scope.
TRUSTED_RESULTS = "refs/tea/jobs/"
SCOPED_RESULTS = "refs/tea/scopes/"
#: Ref prefix of results of deleted branches, which may count on other branches; the scope follows.
KEPT_RESULTS = "refs/tea/kept/"


def scope_of(branch: str, trusted: Sequence[str]) -> str:
    """The branch's scope: empty if a pattern of *trusted* matches it, else 16 hex digits of its name's hash.

    The branch of a pull request is never trusted, whatever the patterns are.  A branch with results of
    another one has the other's scope, and is trusted only where all branches are: those of trusted branches
    are not there.
    """
    source = source_branch(branch)
    patterns = trusted if source == branch else {"*"}.intersection(trusted)
    if matches_any(branch, patterns) and not is_pull_request_branch(source):
        return ""
    return hashlib.sha256(source.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def results_prefix(scope: str) -> str:
    """The ref prefix of a scope's unpublished results."""
    return f"{SCOPED_RESULTS}{scope}/" if scope else TRUSTED_RESULTS


def queue_namespace(repository: str, scope: str) -> str:
    """The repository's name in Redis keys, so that each scope has its own jobs."""
    return f"{repository}@{scope}" if scope else repository
