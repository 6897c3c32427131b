"""Branches with results of other branches on a forge: whether we made them, and how they end.

Whoever may push can push to ``tea/results/BRANCH``.  So the ref ``refs/tea/beside/SCOPE`` names the one
commit there that counts, sealed with the key of planners and workers.  In the same way
``refs/tea/outputs/SCOPE/OUTPUT`` names the commit to which we have moved the branch of whole results
(``output_branch``) of a branch: anything else there is somebody's work.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from tea_runner.core.errors import OutsideError, Refused
from tea_runner.core.git.branch_kinds import (
    RESULTS_PREFIX,
    is_pull_request_branch,
    source_branch,
)
from tea_runner.core.git.branch_results_scope import KEPT_RESULTS, scope_of
from tea_runner.core.git.ref_obstacles import ref_obstacles
from tea_runner.core.results.results_branch import BranchTips, obstructed_output, taken_output
from tea_runner.dataset.hmac_refs import SealedRefs
from tea_runner.dataset.mirror import Mirror
from tea_runner.ports.dataset import RefUpdate

_SEALS = "refs/tea/beside/"
#: Where the mirror has the branches of the forge.
_FETCHED = "refs/remotes/origin/"
_OUTPUT_SEALS = "refs/tea/outputs/"
_REF = f"refs/heads/{RESULTS_PREFIX}"
_SCOPE = re.compile(r"[0-9a-f]{16}")
#: Deleted branches whose results stay on the forge, so that they count after a merge.
_MOST_KEPT = 100


class OwnResultsBranches:
    """Results beside the branches of one repository.

    :param name: ``owner/name`` of the repository; a seal is for it alone.
    :param secret: key of the seal.
    """

    def __init__(self, name: str, mirror: Mirror, secret: bytes) -> None:
        self._mirror = mirror
        self._sealed = SealedRefs(name, mirror, secret, "Tea-Results", "results beside a branch")

    def is_ours(self, branch: str, commit: str) -> bool:
        """Whether a planner has published this commit beside a branch, as of the last fetch."""
        return commit == self._sealed.named(_seal_ref(branch))

    def following(self, updates: Sequence[RefUpdate]) -> list[RefUpdate]:
        """The seals that go with these updates: of commits with results beside a branch.

        Somebody may have deleted the seal of a commit that is there already.
        """
        found: list[RefUpdate] = []
        for ref, new, _ in updates:
            if ref.startswith(_REF) and new:
                seal = _seal_ref(source_branch(ref.removeprefix("refs/heads/")))
                made = self._sealed.seal(seal, new)
                current = self._mirror.refs(seal).get(seal)
                if made != current:
                    found.append((seal, made, current))
        return found

    def output(self, tips: BranchTips) -> list[RefUpdate] | str:
        """The updates that move the branch of whole results to the planned commit; none if it is there.

        A sentence when somebody else has put it where it is, or another branch is in the way.
        """
        wanted = f"refs/heads/{tips.output}"
        there = {f"refs/heads/{name}" for name in self._branches()}
        obstacles = ref_obstacles([wanted], there)
        if obstacles:
            return obstructed_output(tips, str(obstacles[0]))
        seal = _OUTPUT_SEALS + "/".join(scope_of(each, ()) for each in (tips.branch, tips.output))
        current, sealed = self._mirror.tip(tips.output), self._mirror.refs(seal).get(seal)
        if current is not None and current not in (tips.planned, self._sealed.named(seal)):
            return taken_output(tips)
        if current == tips.planned:
            return []
        made = self._sealed.seal(seal, tips.planned)
        pushed = f"refs/heads/{tips.branch}"
        return [
            (wanted, tips.planned, current),
            (seal, made, sealed),
            # It stays, and has to be where it was.
            (pushed, tips.pushed, tips.pushed),
        ]

    def _branches(self) -> Iterator[str]:
        """Names of all branches, as of the last fetch."""
        return (ref.removeprefix(_FETCHED) for ref in self._mirror.refs(_FETCHED))

    def removal(self, branch: str) -> list[RefUpdate]:
        """The updates that delete the results beside a branch; none where there are none.

        Results of ours that may count on other branches are kept in a private ref.
        """
        results = self._mirror.tip(RESULTS_PREFIX + branch)
        if results is None:
            return []
        updates: list[RefUpdate] = [(f"{_REF}{branch}", "", results)]
        seal = _seal_ref(branch)
        current = self._mirror.refs(seal).get(seal)
        if current is not None:
            updates.append((seal, "", current))
        if self.is_ours(branch, results) and not is_pull_request_branch(branch):
            updates += self._kept(scope_of(branch, ()), results)
        return updates

    def _kept(self, scope: str, results: str) -> list[RefUpdate]:
        there = self._mirror.refs(KEPT_RESULTS)
        ref = KEPT_RESULTS + scope
        former = there.pop(ref, None)
        updates: list[RefUpdate] = [(ref, results, former)] if former != results else []
        oldest = sorted(there, key=lambda each: self._seconds(there[each]))
        surplus = oldest[: max(0, len(there) + 1 - _MOST_KEPT)]
        return [*updates, *((each, "", there[each]) for each in surplus)]

    def _seconds(self, commit: str) -> int:
        try:
            return self._mirror.objects.commit(commit).committed
        except (OutsideError, Refused):
            return 0


def kept_tips(refs: Callable[[str], dict[str, str]]) -> dict[str, str]:
    """Scopes of deleted branches to the commits with their results.

    :param refs: returns the refs below a prefix.
    """
    found = {ref.removeprefix(KEPT_RESULTS): oid for ref, oid in refs(KEPT_RESULTS).items()}
    return {scope: oid for scope, oid in found.items() if _SCOPE.fullmatch(scope)}


def _seal_ref(branch: str) -> str:
    return _SEALS + scope_of(branch, ())
