"""Runs that ticks of the clock start: each is one of its own, also where its plan was made for a push."""

from __future__ import annotations

import time
from collections.abc import Sequence

from tea_runner.broker.recent_trigger_events import ListedEvent
from tea_runner.core.planning.run import Run
from tea_runner.core.planning.start_causes import PipelineStart
from tea_runner.wiring import Site
from workers.branch_notices import BranchNotices
from workers.count_run_metrics import count_run
from workers.superseded_runs import SupersededRuns


class TickRuns:
    """Ends the runs that come before them, and lists what started them."""

    def __init__(self, site: Site, ends: SupersededRuns, notices: BranchNotices) -> None:
        self._site = site
        self._ends = ends
        self._notices = notices

    def end_before(self, run: Run, since: str, scope: str) -> str:
        """Save what there was before ticks were taken, as the end of the branch's latest run.

        A latest run that has ended stays as it is, and one that goes on has the ticks in it.

        :param run: of the pipelines before the ticks.
        :param since: id of the branch's latest run when the plan began.
        :param scope: of the branch.
        :returns: the id of the branch's latest run now.
        :raises QueueError: when Redis does not answer.
        """
        runs = self._site.runs
        latest = runs.head(runs.current(run.repository, run.branch))
        known = latest is not None and latest.commit == run.commit
        if not run.has_ended or (latest is not None and since != latest.id):
            return since
        if known and latest is not None and latest.has_ended:
            return since
        saved, replaced = runs.save(run, since=since or None)
        self._notices.tell(saved, scope)
        count_run(self._site, saved)
        if replaced is not None:
            self._ends.post(replaced)
        return saved.id

    def list(self, run: Run, starts: Sequence[PipelineStart]) -> None:
        """List what started pipelines, with the run that it led to, on the page of events."""
        now = time.time()
        self._site.events.add(
            [
                ListedEvent(
                    trigger=f"{run.repository} {each.pipeline}",
                    kind=each.kind,
                    repository=run.repository,
                    branch=run.branch,
                    event=f"{each.event} by {each.by}" if each.by else each.event,
                    received=now,
                    outcome="planned",
                    run=run.id,
                )
                for each in starts
            ]
        )
