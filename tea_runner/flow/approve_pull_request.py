"""Approval of a pull request's commit, which becomes a branch of its own.

Anybody may open a pull request, so none is processed by itself.  A maintainer approves one commit: it
becomes the tip of the branch ``pull/NUMBER`` of the target repository, and a sealed approval names it:
whoever may push can move the branch, and what it then has is not processed.  No setting makes that branch
trusted: it has its own scope, no secrets and no network, and its results are committed to it alone.
Each later commit of the request needs an approval of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from tea_runner.core.errors import NotFound, Refused, UsageError
from tea_runner.core.git.branch_kinds import PULL_REQUEST_PREFIX, matches_any
from tea_runner.core.git.pull_request import PULL_HEADS
from tea_runner.ports import RefUpdate

_HEAD = re.compile(r"refs/pull/([1-9][0-9]{0,8})/head")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_APPROVALS = "refs/tea/approvals/*"


class PullRefs(Protocol):
    """Access to the refs of a repository on the forge, and to approvals."""

    def ls_remote(self, *patterns: str) -> Mapping[str, str]:
        """Refs that match the patterns, with their ids.

        :raises OutsideError: when the forge does not answer.
        """
        ...

    def fetch_heads(self, *numbers: int) -> None:
        """Fetch the newest commits of pull requests into the mirror.

        :raises OutsideError: when the forge does not answer.
        """
        ...

    def push(self, updates: Sequence[RefUpdate]) -> bool:
        """Move refs on the forge by compare-and-swap; False when one had another id.

        :raises OutsideError: when the forge does not answer or declines.
        """
        ...

    def approval(self, number: int, commit: str) -> tuple[str, str]:
        """The ref of a pull request's approval, and a new object that approves this commit.

        The object of the same commit is always the same.

        :raises OutsideError: when git ends with an error.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class PullRequest:
    """A pull request: its number, its newest commit, and the tip of its branch."""

    number: int
    head: str
    #: The approved commit, or a results commit on it; empty before an approval.
    branch_tip: str = ""

    @property
    def branch(self) -> str:
        """The branch of its approved commit."""
        return f"{PULL_REQUEST_PREFIX}{self.number}"


def pull_requests(refs: PullRefs) -> list[PullRequest]:
    """All pull requests that the forge has refs of, the newest first.

    :raises OutsideError: when the forge does not answer.
    """
    return _pull_requests(_listed(refs))


def _listed(refs: PullRefs) -> Mapping[str, str]:
    return refs.ls_remote(PULL_HEADS, f"refs/heads/{PULL_REQUEST_PREFIX}*", _APPROVALS)


def _pull_requests(found: Mapping[str, str]) -> list[PullRequest]:
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
    """Move the branch of a pull request to its newest commit, which a maintainer has reviewed.

    :param commit: the whole id of that commit: an author can make two commits with the same first digits.
    :param branches: patterns of the branches that are processed.
    :raises UsageError: when *commit* is not a commit id.
    :raises NotFound: when there is no such pull request.
    :raises Refused: when its newest commit is another one, or the settings exclude its branch.
    :raises OutsideError: when the forge does not answer.
    """
    if not _COMMIT.fullmatch(commit):
        raise UsageError(
            f"{commit!r} is not a whole commit id",
            hint="tea-runner pr list shows all digits of it",
        )
    listed = _listed(refs)
    pull = next((pull for pull in _pull_requests(listed) if pull.number == number), None)
    if pull is None:
        raise NotFound(f"the forge has no pull request {number} of this repository")
    if pull.head != commit:
        raise Refused(
            f"the newest commit of pull request {number} is {pull.head}, not {commit}",
            hint="review that one and approve it",
        )
    if not matches_any(pull.branch, branches):
        raise Refused(
            f"the setting branches excludes {pull.branch}", hint="add a pattern for pull/*"
        )
    ref, made = refs.approval(number, pull.head)
    branch = f"refs/heads/{pull.branch}"
    moves = [(branch, pull.head, pull.branch_tip or None), (ref, made, listed.get(ref))]
    moves = [move for move in moves if move[1] != move[2]]
    if not moves:
        return pull
    refs.fetch_heads(number)
    if not refs.push(moves):
        raise Refused(f"branch {pull.branch} has moved meanwhile", hint="try again")
    return PullRequest(number=number, head=pull.head, branch_tip=pull.head)
