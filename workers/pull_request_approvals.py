"""Approvals of pull requests that people gave on pages or by the API: the planner carries them out."""

from __future__ import annotations

import logging

from tea_runner.core.errors import NotFound, Refused
from tea_runner.core.git.branch_kinds import PULL_REQUEST_PREFIX, is_pull_request_branch
from tea_runner.core.planning.approval_or_pause import Order
from tea_runner.dataset.forge_dataset import ForgeDataset
from tea_runner.flow.approve_pull_request import approve_pull
from tea_runner.flow.commit_reader import open_commit
from tea_runner.flow.planning_cache import PlanningCache
from tea_runner.wiring import Site

log = logging.getLogger(__name__)


class PullRequestApprovals:
    """Moves branches of pull requests to the commits that were approved."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def carry_out(self, dataset: ForgeDataset, branch: str, cache: PlanningCache) -> bool:
        """Carry out the approval of a branch's pull request, unless that was done before.

        An approval of a commit that is not the newest any more is left: somebody has to review that one.
        Costs nothing for other branches.

        :returns: whether the branch was moved.
        :raises OutsideError: when the forge does not answer.
        """
        order = self._order(dataset.name, branch)
        if order is None or self._is_done(dataset, branch, order.commit, cache):
            return False
        number = int(branch.removeprefix(PULL_REQUEST_PREFIX))
        try:
            approve_pull(
                dataset.approvals, number, order.commit, branches=self._site.settings.branches
            )
        except (NotFound, Refused) as error:
            log.warning("the approval by %s has no effect: %s", order.by, error.message)
            return False
        return True

    def _order(self, repository: str, branch: str) -> Order | None:
        if not is_pull_request_branch(branch) or not self._site.settings.pull_requests:
            return None
        found = (
            order
            for order in self._site.orders.restore()
            if (order.kind, order.repository, order.branch)
            == ("approve pull request", repository, branch)
        )
        return next(found, None)

    def _is_done(
        self, dataset: ForgeDataset, branch: str, commit: str, cache: PlanningCache
    ) -> bool:
        """Whether the branch has this commit, or results upon it, with an approval."""
        try:
            tip = dataset.tip(branch)
        except Refused:
            return False
        return tip is not None and open_commit(dataset.objects, tip, cache).tree.origin == commit
