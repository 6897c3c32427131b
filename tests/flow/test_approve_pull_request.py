"""A maintainer approves one commit of a pull request, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from tea_runner.core.errors import NotFound, Refused, TeaError, UsageError
from tea_runner.flow.approve_pull_request import PullRequest, approve_pull, pull_requests

HEAD, OTHER = "a" * 40, "b" * 40


@dataclass
class Refs:
    """Refs of a repository in memory."""

    there: dict[str, str]
    moved: bool = False
    fetched: list[int] = field(default_factory=list)

    def ls_remote(self, *patterns: str) -> Mapping[str, str]:
        """All refs: the patterns only narrow them."""
        assert patterns == ("refs/pull/*/head", "refs/heads/pull/*", "refs/tea/approvals/*")
        return self.there

    def fetch_heads(self, *numbers: int) -> None:
        """Keep what was fetched."""
        self.fetched += numbers

    def approval(self, number: int, commit: str) -> tuple[str, str]:
        """An object that is named by what it approves."""
        return f"refs/tea/approvals/{number}", f"{number} {commit}"

    def push(self, updates: Sequence[tuple[str, str, str | None]]) -> bool:
        """Compare and swap all refs or none."""
        if self.moved or any(self.there.get(ref) != old for ref, _, old in updates):
            return False
        self.there.update({ref: new for ref, new, _ in updates})
        return True


@pytest.fixture
def refs() -> Refs:
    """Two pull requests; results stand upon the approved commit of the first."""
    return Refs(
        {
            "refs/pull/2/head": HEAD,
            "refs/pull/10/head": OTHER,
            "refs/heads/pull/2": OTHER,
            "refs/pull/0/head": HEAD,
            "refs/pull/2/merge": HEAD,
            "refs/heads/main": HEAD,
        }
    )


def test_pull_requests_are_listed_the_newest_first(refs: Refs) -> None:
    """With the tip of their branch here, if there is one."""
    assert pull_requests(refs) == [
        PullRequest(number=10, head=OTHER),
        PullRequest(number=2, head=HEAD, branch_tip=OTHER),
    ]


def test_an_approved_commit_becomes_the_branch(refs: Refs) -> None:
    """For the first time, and again for a later commit."""
    assert approve_pull(refs, 10, OTHER, branches=["*"]).branch == "pull/10"
    approve_pull(refs, 2, HEAD, branches=["pull/*"])

    assert refs.there["refs/heads/pull/10"] == OTHER
    assert refs.there["refs/heads/pull/2"] == HEAD
    assert refs.there["refs/tea/approvals/2"] == f"2 {HEAD}"
    assert refs.fetched == [10, 2]


def test_approving_twice_is_approving_once(refs: Refs) -> None:
    """Nothing is fetched or pushed the second time."""
    approve_pull(refs, 2, HEAD, branches=["*"])
    refs.moved = True

    assert approve_pull(refs, 2, HEAD, branches=["*"]).branch_tip == HEAD
    assert len(refs.fetched) == 1


@pytest.mark.parametrize(
    ("number", "commit", "branches", "error", "sentence"),
    [
        (2, "main", ["*"], UsageError, "'main' is not a whole commit id"),
        (2, HEAD[:12], ["*"], UsageError, "is not a whole commit id; tea-runner pr list shows"),
        (2, HEAD[:39], ["*"], UsageError, "is not a whole commit id"),
        (2, HEAD + "a", ["*"], UsageError, "is not a whole commit id"),
        (3, HEAD, ["*"], NotFound, "no pull request 3"),
        (2, OTHER, ["*"], Refused, f"the newest commit of pull request 2 is {HEAD}"),
        (2, HEAD, ["main"], Refused, "the setting branches excludes pull/2"),
    ],
)
def test_what_cannot_be_approved_is_refused_with_the_reason(
    refs: Refs,
    number: int,
    commit: str,
    branches: list[str],
    error: type[TeaError],
    sentence: str,
) -> None:
    """And nothing moves."""
    before = dict(refs.there)
    with pytest.raises(error, match=sentence):
        approve_pull(refs, number, commit, branches=branches)

    assert refs.there == before


def test_a_branch_that_moved_meanwhile_is_refused(refs: Refs) -> None:
    """Another maintainer approved something else."""
    refs.moved = True
    with pytest.raises(Refused, match="has moved meanwhile; try again"):
        approve_pull(refs, 2, HEAD, branches=["*"])


def test_a_branch_that_somebody_pushed_is_no_approval(refs: Refs) -> None:
    """The approval is made although the branch is at the commit already."""
    refs.there["refs/heads/pull/2"] = HEAD
    approve_pull(refs, 2, HEAD, branches=["*"])

    assert refs.there["refs/tea/approvals/2"] == f"2 {HEAD}"
