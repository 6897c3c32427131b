"""Runs that something replaced before they ended: a newer push, a retry, the end of their branch."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from tea_runner.core.errors import TeaError
from tea_runner.core.git.branch_kinds import is_pull_request_branch
from tea_runner.core.planning.run import Run
from tea_runner.wiring import Site
from workers.commit_statuses import CommitStatuses

log = logging.getLogger(__name__)


class SupersededRuns:
    """Ends runs as superseded, on the pages and on the forge."""

    def __init__(self, site: Site, statuses: CommitStatuses) -> None:
        self._runs = site.runs
        self._current_name = site.current_name
        self._statuses = statuses

    def end_run_of_branch(self, repository: str, branch: str, why: str) -> None:
        """End the latest run of a branch that has nothing to process any more.

        :param why: a sentence.
        :raises QueueError: when Redis does not answer.
        """
        replaced = self._runs.supersede(self._runs.current(repository, branch), why)
        if replaced is not None:
            self.post(replaced)

    def post(self, run: Run) -> None:
        """Post on the forge that a run was superseded; the reconciler does so again where that fails.

        :raises QueueError: when Redis does not answer.
        """
        others = [
            other
            for other in self._runs.open()
            if (other.repository, other.commit) == (run.repository, run.commit)
            and not other.has_ended
        ]
        # A commit has one set of statuses, and another run of it has something to say still.
        if others or self._statuses.post_superseded(run):
            self._runs.close(run.id)

    def repair(self, tips: Callable[[str], Mapping[str, str] | None]) -> list[str]:
        """End open runs that are not the latest of their branch, or whose branch is gone.

        :param tips: branches of a repository to their commits; None when they are not known now.
        :returns: a line for each.
        """
        repairs = []
        for run in self._runs.open():
            if run.superseded:
                self.post(run)
                continue
            latest = self._runs.current(run.repository, run.branch)
            why = self._why(run, latest, tips(run.repository))
            replaced = self._runs.supersede(run.id, why, by=latest) if why else None
            if replaced is not None:
                repairs.append(f"ended run {run.id} of {run.repository}: {why}")
                try:
                    self.post(replaced)
                except TeaError as error:
                    log.warning("%s", error.message)
        return repairs

    def _why(self, run: Run, latest: str, tips: Mapping[str, str] | None) -> str:
        if latest not in ("", run.id):
            return f"replaced by run {latest}"
        now = self._current_name(run.repository)
        if now != run.repository:
            return f"the repository is {now} now"
        gone = tips is not None and run.branch not in tips
        if gone and not is_pull_request_branch(run.branch):
            return f"the branch {run.branch} was deleted"
        return ""
