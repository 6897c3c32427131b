"""Pushes that ask to be skipped: they get a run that has ended, and a commit status that says so."""

from __future__ import annotations

import logging

from tea_runner.core.git.skip_request import skip_marker
from tea_runner.core.planning.run import Run, run_id
from tea_runner.dataset.forge_dataset import ForgeDataset
from tea_runner.flow.commit_reader import open_commit
from tea_runner.flow.planning_cache import PlanningCache
from tea_runner.flow.tick_inputs import due_ticks
from tea_runner.wiring import Site
from workers.commit_statuses import CommitStatuses
from workers.note_next_tick import note_next_tick
from workers.superseded_runs import SupersededRuns

log = logging.getLogger(__name__)


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
        if dataset.tip(branch) is None:
            return ""
        pushed = dataset.objects.commit(_pushed(dataset, branch, cache))
        return skip_marker(pushed.message, pushed.parents)

    def ticking(self, dataset: ForgeDataset, branch: str, cache: PlanningCache) -> tuple[str, ...]:
        """Pipelines that have something to do although the push is skipped: ticks, or a start by hand.

        :raises TeaError: when the forge does not say which branch is the default one.
        """
        tips = dataset.tips(branch)
        if tips is None:
            return ()
        tip = open_commit(dataset.objects, tips.planned, cache)
        book = dataset.tick_book(branch)
        due = due_ticks(tip, book, self._site.clock(dataset.name, branch))
        names = {each.pipeline for each in self._site.asked_ticks(dataset.name, branch).pending()}
        names.update(name for name, _ in (*due.pending, *(due.states.keys() - book.states.keys())))
        return tuple(sorted(names & tip.pipelines.by_name.keys()))

    def record(
        self, dataset: ForgeDataset, branch: str, marker: str, token: str, cache: PlanningCache
    ) -> None:
        """Record that a branch is planned, in that its push is skipped, and when its schedules tick.

        Jobs of former pushes go on; their results are published with the next push.

        :param token: of the lock on the branch.
        """
        name, origin = dataset.name, _pushed(dataset, branch, cache)
        tip = open_commit(dataset.objects, origin, cache)
        note_next_tick(self._site, name, branch, tip.pipelines.written, dataset.tick_book(branch))
        latest = self._site.runs.head(self._site.runs.current(name, branch))
        accepted = True
        if latest is None or latest.commit != origin:
            log.info("skipped: the message of the pushed commit says %s", marker)
            accepted = self._record_run(dataset, branch, marker, origin)
        self._site.plan_requests.complete(
            name, branch, dataset.tip(branch) or "", token, commit_statuses_accepted=accepted
        )

    def _record_run(self, dataset: ForgeDataset, branch: str, marker: str, origin: str) -> bool:
        pushed = dataset.objects.commit(origin)
        run, replaced = self._site.runs.save(
            Run(
                id=run_id(dataset.name, branch, origin),
                repository=dataset.name,
                branch=branch,
                commit=origin,
                title=pushed.subject,
                author=pushed.author,
                cause="push",
                superseded=f"skipped, as {marker} in the commit's message asks",
            )
        )
        accepted = self._statuses.post_skipped(run, marker)
        if replaced is not None:
            self._ends.post(replaced)
        return accepted


def _pushed(dataset: ForgeDataset, branch: str, cache: PlanningCache) -> str:
    """The commit at a branch that exists, below its results commits."""
    return open_commit(dataset.objects, dataset.tip(branch) or "", cache).tree.origin
