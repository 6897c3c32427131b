"""A pull request and the commit that a maintainer has looked at in, a branch of its own out.

A pull request may come from anybody, so nothing is done about it by itself.  What a maintainer
approves is one commit: it becomes the tip of the branch ``pull/NUMBER`` of the repository that the
request is for, and that branch is then planned as one that no setting can make trusted: with a scope
of its own, without secrets or network, its results upon it and nowhere else.  A later commit of
the same request is another one, and has to be approved again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from tea_runner.core.errors import NotFound, Refused, UsageError
from tea_runner.core.git.branch import PULL_REQUEST_PREFIX, matches_any

_HEAD = re.compile(r"refs/pull/([1-9][0-9]{0,8})/head")
_COMMIT = re.compile(r"[0-9a-f]{7,64}")


class PullRefs(Protocol):
    """The refs of a repository on the forge, as a mirror reaches them."""

    def ls_remote(self, *patterns: str) -> Mapping[str, str]:
        """Refs that the patterns name, with their ids."""
        ...

    def fetch(self, *refspecs: str) -> None:
        """Bring refs into the mirror."""
        ...

    def push(self, updates: Sequence[tuple[str, str, str | None]]) -> bool:
        """Move refs on the forge from the value that is expected; False when one had another."""
        ...


@dataclass(frozen=True, kw_only=True)
class PullRequest:
    """A pull request as git sees it: its number, its newest commit, and what was approved of it."""

    number: int
    head: str
    #: The tip of its branch here, which is the approved commit or results upon it; empty for none.
    branch_tip: str = ""

    @property
    def branch(self) -> str:
        """The branch that an approved commit becomes."""
        return f"{PULL_REQUEST_PREFIX}{self.number}"


def pull_requests(refs: PullRefs) -> list[PullRequest]:
    """All pull requests that the forge has refs of, the newest first."""
    found = refs.ls_remote("refs/pull/*/head", f"refs/heads/{PULL_REQUEST_PREFIX}*")
    made = [
        PullRequest(
            number=int(match[1]),
            head=head,
            branch_tip=found.get(f"refs/heads/{PULL_REQUEST_PREFIX}{match[1]}", ""),
        )
        for match, head in ((_HEAD.fullmatch(ref), head) for ref, head in found.items())
        if match
    ]
    return sorted(made, key=lambda pull: -pull.number)


def approve_pull(
    refs: PullRefs, number: int, commit: str, *, branches: Sequence[str]
) -> PullRequest:
    """Make the branch of a pull request stand at the commit that somebody has looked at.

    :param commit: at least 7 digits of the request's newest commit: what comes later is not approved.
    :param branches: patterns of the branches that are processed.
    :raises NotFound: when there is no such pull request.
    :raises Refused: when its newest commit is another one, or the settings leave its branch out.
    """
    if not _COMMIT.fullmatch(commit):
        raise UsageError(f"{commit!r} is no commit; give 7 digits of it or more")
    pull = next((pull for pull in pull_requests(refs) if pull.number == number), None)
    if pull is None:
        raise NotFound(f"the forge has no pull request {number} of this repository")
    if not pull.head.startswith(commit):
        raise Refused(
            f"the newest commit of pull request {number} is {pull.head[:12]}, not {commit[:12]}; "
            f"look at it, and approve it if it is right"
        )
    if not matches_any(pull.branch, branches):
        raise Refused(f"the setting branches leaves {pull.branch} out; add a pattern for pull/*")
    if pull.branch_tip == pull.head:
        return pull
    refs.fetch(f"+refs/pull/{number}/head:refs/pull/{number}/head")
    if not refs.push([(f"refs/heads/{pull.branch}", pull.head, pull.branch_tip or None)]):
        raise Refused(f"branch {pull.branch} was moved by somebody else meanwhile; try again")
    return PullRequest(number=number, head=pull.head, branch_tip=pull.head)
