"""Approved commits of pull requests, sealed in a ref of each request on the forge.

Whoever may push can move a branch ``pull/NUMBER``, and anybody's commit is in the repository as soon as a
pull request is open.  So the branch is no approval: the ref ``refs/tea/approvals/NUMBER`` names the one
commit that counts, sealed with the key of planners and workers.  A results commit on it takes its place
in the push that publishes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tea_runner.core.errors import Refused
from tea_runner.core.git.branch_kinds import PULL_REQUEST_PREFIX, is_pull_request_branch
from tea_runner.core.git.pull_request import PULL_HEADS, head_name
from tea_runner.dataset.hmac_refs import SealedRefs
from tea_runner.dataset.mirror import Mirror
from tea_runner.ports.dataset import RefUpdate

_APPROVALS = "refs/tea/approvals/"
_BRANCHES = "refs/heads/"


class PullApprovals:
    """Approvals in one repository, and the refs of its pull requests.

    :param name: ``owner/name`` of the repository; an approval is for it alone.
    :param secret: key of the seal.
    :param heads: refs of the pull requests' newest commits on the forge.
    """

    def __init__(self, name: str, mirror: Mirror, secret: bytes, heads: str = PULL_HEADS) -> None:
        self._heads = heads
        self._name = name
        self._mirror = mirror
        self._sealed = SealedRefs(name, mirror, secret, "Tea-Approved", "approval")

    def ls_remote(self, *patterns: str) -> Mapping[str, str]:
        """See :meth:`Mirror.ls_remote`; pull requests have the refs ``refs/pull/*/head`` on each forge."""
        asked = [self._heads if pattern == PULL_HEADS else pattern for pattern in patterns]
        found = self._mirror.ls_remote(*asked)
        return {head_name(ref, self._heads): commit for ref, commit in found.items()}

    def fetch_heads(self, *numbers: int) -> None:
        """Fetch the newest commits of pull requests to ``refs/pull/NUMBER/head`` of the mirror."""
        self._mirror.fetch(
            *(
                f"+{self._heads.replace('*', str(number))}:{PULL_HEADS.replace('*', str(number))}"
                for number in numbers
            )
        )

    def push(self, updates: Sequence[RefUpdate]) -> bool:
        """See :meth:`Mirror.push`."""
        return self._mirror.push(updates)

    def approval(self, number: int | str, commit: str) -> tuple[str, str]:
        """The ref of a pull request's approval, and a new object that approves this commit."""
        ref = f"{_APPROVALS}{number}"
        return ref, self._sealed.seal(ref, commit)

    def require(self, branch: str, commit: str) -> None:
        """Check that a commit at a pull request's branch was approved, as of the last fetch.

        :raises Refused: when it was not.
        """
        if commit != self._approved(branch):
            number = branch.removeprefix(PULL_REQUEST_PREFIX)
            raise Refused(
                f"commit {commit} of branch {branch} was not approved",
                hint=f"review it, then: tea-runner pr approve {self._name} {number} {commit}",
            )

    def _approved(self, branch: str) -> str:
        return self._sealed.named(f"{_APPROVALS}{branch.removeprefix(PULL_REQUEST_PREFIX)}")

    def following(self, updates: Sequence[RefUpdate]) -> list[RefUpdate]:
        """The approvals that go with these updates: of results commits on branches of pull requests."""
        found: list[RefUpdate] = []
        for ref, new, expected in updates:
            branch = ref.removeprefix(_BRANCHES)
            if not ref.startswith(_BRANCHES) or not is_pull_request_branch(branch):
                continue
            if new in ("", expected):
                continue
            # Results on a commit that is not approved are approved by nobody.
            self.require(branch, expected or "")
            number = branch.removeprefix(PULL_REQUEST_PREFIX)
            approval, made = self.approval(number, new)
            found.append((approval, made, self._mirror.refs(approval).get(approval)))
        return found
