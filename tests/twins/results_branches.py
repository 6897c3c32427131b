"""Branches with results of other branches, in memory."""

from __future__ import annotations

from collections.abc import Sequence

from tea_runner.core.git.branch_kinds import RESULTS_PREFIX
from tea_runner.core.results.results_branch import (
    BranchTips,
    ResultsPlace,
    branch_tips,
    results_branch,
    taken_output,
    used_output_branch,
)
from tests.twins.objects import MemoryObjects


class MemoryResultsBranches:
    """The part of a dataset in memory that moves branches with results."""

    objects: MemoryObjects
    results_place: ResultsPlace
    #: Whether the forge answers.
    reachable: bool

    def __init__(self) -> None:
        #: Commits that were published beside branches.
        self._beside: set[str] = set()
        #: Where branches of whole results were put, by the pushed branch and their own name.
        self._outputs: dict[tuple[str, str], str] = {}

    def tip(self, branch: str) -> str | None:
        """The commit at a branch's end, as last fetched."""
        raise NotImplementedError

    def scope(self, branch: str) -> str:
        """The scope of a branch."""
        raise NotImplementedError

    def refresh(self) -> None:
        """Fetch all refs."""
        raise NotImplementedError

    def publish(self, updates: Sequence[tuple[str, str, str | None]]) -> bool:
        """Compare and swap several refs."""
        raise NotImplementedError

    def _known(self) -> object:
        """Read what all branches know."""
        raise NotImplementedError

    def tips(self, branch: str, output: str = "") -> BranchTips | None:
        """The tips of a branch and of its results; only what was published here counts as ours."""
        pushed = self.tip(branch)
        if pushed is None:
            return None
        trusted = not self.scope(branch)
        place = self.results_place
        used = used_output_branch(output, branch, trusted=trusted, place=place)
        goal = results_branch(branch, trusted=trusted, place=place, output=used)
        return branch_tips(
            branch,
            pushed,
            goal,
            self.tip(goal),
            is_ours=self._beside.__contains__,
            commit=self.objects.commit,
            output=used,
        )

    def publish_output(self, tips: BranchTips) -> str | None:
        """Move the branch of whole results, unless somebody else did."""
        there = self.tip(tips.output)
        ours = self._outputs.get((tips.branch, tips.output))
        if there not in (None, ours, tips.planned):
            return taken_output(tips)
        moved = [(f"refs/heads/{tips.output}", tips.planned, there)]
        if there != tips.planned and not self.publish(moved):
            self.refresh()
            return None
        self._outputs[tips.branch, tips.output] = tips.planned
        return ""

    def remove_results(self, branch: str) -> None:
        """Delete the results beside a branch; their rows stay known."""
        self._known()
        there = self.tip(RESULTS_PREFIX + branch)
        if there and self.reachable:
            self.publish([(f"refs/heads/{RESULTS_PREFIX}{branch}", "", there)])
