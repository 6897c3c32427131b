"""Pushes that ask to be skipped: they get a run that has ended, and a commit status that says so."""

from __future__ import annotations

from tea_runner.core.git.skip_request import skip_marker
from tea_runner.core.planning.run import Run, run_id
from tea_runner.dataset.forge_dataset import ForgeDataset
from tea_runner.flow.commit_reader import open_commit
from tea_runner.flow.planning_cache import PlanningCache
from tea_runner.wiring import Site
from workers.commit_statuses import CommitStatuses
from workers.superseded_runs import SupersededRuns


class SkippedPushes:
    """Finds them, and records them."""

    def __init__(self, site: Site, statuses: CommitStatuses, ends: SupersededRuns) -> None:
        self._site = site
        self._statuses = statuses
        self._ends = ends

    def marker(self, dataset: ForgeDataset, branch: str, cache: PlanningCache) -> str:
        """The marker of the commit that was pushed last to a branch; empty for none.

        Results commits on the branch are not asked.  Costs the reading of the tip, which a plan reads too.
        """
        tip = dataset.tip(branch)
        if tip is None:
            return ""
        origin = open_commit(dataset.objects, tip, cache).tree.origin
        pushed = dataset.objects.commit(origin)
        return skip_marker(pushed.message, pushed.parents)

    def record(self, dataset: ForgeDataset, branch: str, marker: str, token: str) -> None:
        """Record that a branch is planned, in that its push is skipped.

        Jobs of former pushes go on; their results are published with the next push.

        :param token: of the lock on the branch.
        """
        tip = dataset.tip(branch) or ""
        pushed = dataset.objects.commit(tip)
        run, replaced = self._site.runs.save(
            Run(
                id=run_id(dataset.name, branch, tip),
                repository=dataset.name,
                branch=branch,
                commit=tip,
                title=pushed.subject,
                author=pushed.author,
                cause="push",
                superseded=f"skipped, as {marker} in the commit's message asks",
            )
        )
        accepted = self._statuses.post_skipped(run, marker)
        if replaced is not None:
            self._ends.post(replaced)
        self._site.plan_requests.complete(
            dataset.name, branch, tip, token, commit_statuses_accepted=accepted
        )
