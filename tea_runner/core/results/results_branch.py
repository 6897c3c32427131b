"""Where a branch's results commits are: on the branch, or on another branch beside it.

Results on a branch of a person would make it conflict with other branches: two of them change one manifest.
So those of branches that are not trusted are beside the branch, in ``tea/results/BRANCH``, upon the branch's
tip.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from tea_runner.core.git.branch_kinds import RESULTS_PREFIX
from tea_runner.core.results.run_record import parse_trailers

#: Where results go: those of branches that are not trusted beside them, or all on the branch itself, or all
#: beside the branch, and those of trusted ones into a pull request.
ResultsPlace = Literal["beside", "branch", "pull-request"]
#: Most results commits upon one tip, one for each pipeline.
_MOST = 1000


class MessageAndParents(Protocol):
    """What is read of a commit."""

    @property
    def message(self) -> str:
        """Its message."""
        ...

    @property
    def parents(self) -> Sequence[str]:
        """Ids of its parents."""
        ...


def results_branch(branch: str, *, trusted: bool, place: ResultsPlace, output: str = "") -> str:
    """The branch to which the results commits of a branch go.

    :param output: see :func:`used_output_branch`.
    """
    on_branch = place == "branch" or (trusted and place == "beside" and not output)
    return branch if on_branch else RESULTS_PREFIX + branch


def used_output_branch(output: str, branch: str, *, trusted: bool, place: ResultsPlace) -> str:
    """The branch that gets whole results, if it is *output*; empty for none.

    What the operator chose comes first, and only trusted branches move others.
    """
    return output if output != branch and trusted and place == "beside" else ""


def taken_output(tips: BranchTips) -> str:
    """That somebody else has made the branch of whole results."""
    return (
        f"branch {tips.output} (output_branch) is not where the results of {tips.branch} were put; "
        f"they stay in {tips.results_branch}: delete or rename {tips.output}, or write another "
        "output_branch"
    )


def obstructed_output(tips: BranchTips, obstacle: str) -> str:
    """That git cannot make the branch of whole results."""
    return (
        f"branch {tips.output} (output_branch) cannot be made: {obstacle}; the results of {tips.branch} stay "
        f"in {tips.results_branch}: write another output_branch"
    )


def follows(commit: Callable[[str], MessageAndParents], results: str, tip: str) -> bool:
    """Whether there are only results commits between *results* and the commit *tip* below it.

    :param commit: returns a commit by its id.
    """
    for _ in range(_MOST):
        if results == tip:
            return True
        facts = commit(results)
        if not facts.parents or "Tea-Input" not in parse_trailers(facts.message):
            break
        results = facts.parents[0]
    return False


@dataclass(frozen=True, kw_only=True)
class BranchTips:
    """A branch's tip, and the tip of the branch with its results."""

    branch: str
    #: The branch's own tip.
    pushed: str
    #: The branch that results commits go to.
    results_branch: str
    #: The commit there, whatever it is; None when there is none.
    results: str | None
    #: The commit to plan: that with the results if it is upon the branch's tip, else the tip.
    planned: str
    #: Results of ours of an earlier tip, which results of this one replace.
    former: str | None = None
    #: The branch that gets the results once all of them are there; empty for none.
    output: str = ""

    @property
    def is_beside(self) -> bool:
        """Whether results commits go to another branch."""
        return self.results_branch != self.branch

    @property
    def has_results(self) -> bool:
        """Whether there are results of this very tip beside the branch."""
        return self.is_beside and self.planned == self.results

    def updates(self, commit: str) -> list[tuple[str, str, str | None]]:
        """The ref updates, see :data:`~tea_runner.ports.dataset.RefUpdate`, that publish a results commit."""
        moved = [(f"refs/heads/{self.results_branch}", commit, self.results)]
        if self.is_beside:
            # It stays, and has to be where it was.
            moved.append((f"refs/heads/{self.branch}", self.pushed, self.pushed))
        return moved


def branch_tips(
    branch: str,
    pushed: str,
    results_branch: str,
    results: str | None,
    *,
    is_ours: Callable[[str], bool],
    commit: Callable[[str], MessageAndParents],
    output: str = "",
) -> BranchTips:
    """The tips of a branch.

    :param pushed: the branch's own tip.
    :param results: tip of *results_branch*.
    :param is_ours: whether a commit at *results_branch* was published there by a planner: other people
        can push to it.
    :param commit: returns a commit by its id.
    :param output: see :func:`used_output_branch`.
    """
    planned, former = pushed, None
    if results_branch != branch and results and is_ours(results):
        if follows(commit, results, pushed):
            planned = results
        else:
            former = results
    return BranchTips(
        branch=branch,
        pushed=pushed,
        results_branch=results_branch,
        results=results if results_branch != branch else pushed,
        planned=planned,
        former=former,
        output=output,
    )
