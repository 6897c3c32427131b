"""Commit statuses of a branch on the forge: each is posted once, and errors are taken back.

Redis keeps what the forge accepted.  Where Redis has nothing for a commit, the forge is asked for its
statuses: they may have been posted before Redis was lost.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence

from tea_runner.core.errors import ForgeError, TeaError
from tea_runner.core.planning.job_record import JobRecord
from tea_runner.core.planning.run import PipelineRun, Run
from tea_runner.core.planning.run_status import lacks
from tea_runner.core.planning.states import ENDED_STATES
from tea_runner.core.planning.worker_requirement import Offered
from tea_runner.flow.advance_outcome import BranchProgress
from tea_runner.ports import CommitStatusState
from tea_runner.present import state_words, summary_line
from tea_runner.wiring import Site

log = logging.getLogger(__name__)

#: State and description of a status.
Row = tuple[CommitStatusState, str]


class CommitStatuses:
    """Posts commit statuses."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._runs = site.runs
        self._context = site.settings.status.context

    def post(self, run: Run, result: BranchProgress) -> bool:
        """Post statuses of the pushed commit, of results commits and of the branch's tip.

        :param run: as it was saved, with facts of earlier plans.
        :returns: whether the forge accepted them all.
        :raises QueueError: when Redis does not answer.
        """
        repository = run.repository
        target = f"{self._site.settings.web_url}/runs/{run.id}"
        rows = self._rows(run, result.problems)
        accepted = True
        commits = (result.origin, result.pushed, *result.results, result.commit)
        for commit in dict.fromkeys(commits):
            posted = self._posted(repository, commit)
            if posted is None:
                # Later, when it is known which errors have to be taken back.
                accepted = False
                continue
            solved: dict[str, Row] = {
                context: ("success", "planned")
                for context in (f"{self._context}/plan", f"{self._context}/spec")
                if context in posted and context not in rows
            }
            for context, row in {**rows, **solved}.items():
                accepted &= self._post(repository, commit, context, row, target, posted)
        return accepted

    def _rows(self, run: Run, problems: Sequence[str]) -> dict[str, Row]:
        """Contexts of the pipelines and of the spec, to state and description."""
        jobs = self._site.jobs.states([job for row in run.pipelines for job in _waited_for(row)])
        offers = self._site.processes.offers() if jobs else frozenset()
        rows: dict[str, Row] = {
            f"{self._context}/{row.name}": (
                summary_line.FORGE_STATES[row.state],
                summary_line.description(
                    row.state,
                    _numbers(row),
                    _trouble([jobs[job] for job in _waited_for(row) if job in jobs], offers)
                    or _detail(row, run.results_branch),
                    row.seconds if row.state in ENDED_STATES else None,
                ),
            )
            for row in run.pipelines
        }
        if problems:
            text = summary_line.description("blocked", {}, problems[0])
            rows[f"{self._context}/spec"] = ("error", text)
        return rows

    def post_superseded(self, run: Run) -> bool:
        """Take back statuses of a superseded run that say that something is under way.

        :returns: whether none is left.
        :raises QueueError: when Redis does not answer.
        """
        posted = self._posted(run.repository, run.commit)
        if posted is None:
            return False
        target = f"{self._site.settings.web_url}/runs/{run.id}"
        row: Row = ("warning", summary_line.shortened(f"superseded: {run.superseded}"))
        contexts = [name for name, text in posted.items() if text.split(" ")[0] == "pending"]
        done = True
        for context in contexts:
            done &= self._post(run.repository, run.commit, context, row, target, posted)
        return done

    def post_skipped(self, run: Run, marker: str) -> bool:
        """Post that the push of a commit is skipped; no success, which a merge may require.

        :returns: whether the forge accepted it.
        :raises QueueError: when Redis does not answer.
        """
        posted = self._posted(run.repository, run.commit)
        if posted is None:
            return False
        text = f"skipped: the commit's message says {marker}; the next push is processed"
        target = f"{self._site.settings.web_url}/runs/{run.id}"
        row: Row = ("warning", summary_line.shortened(text))
        return self._post(run.repository, run.commit, f"{self._context}/plan", row, target, posted)

    def post_error(self, repository: str, commit: str, error: str, run: str = "") -> None:
        """Post why the branch of a commit could not be planned.

        :param run: id of the run that shows it; empty for none.
        """
        text = summary_line.description("blocked", {}, error)
        posted = self._posted(repository, commit) or {}
        context = f"{self._context}/plan"
        target = self._site.settings.web_url + (f"/runs/{run}" if run else "")
        if context not in posted:
            # Noted before it is posted: the forge's answer may be lost, and a status that is not
            # noted is never taken back.
            self._runs.note_commit_status(repository, commit, context, "")
        self._post(repository, commit, context, ("error", text), target, posted)

    def _posted(self, repository: str, commit: str) -> Mapping[str, str] | None:
        """Contexts to ``STATE DESCRIPTION`` of a commit's statuses; None when the forge is silent.

        ``success`` without a description where only the forge has it: its description may be older.
        """
        posted = self._runs.commit_statuses(repository, commit)
        if posted:
            return posted
        try:
            found = self._site.forge.commit_statuses(repository, commit)
        except ForgeError as error:
            log.warning(
                "commit statuses were not read: %s",
                error.message,
                extra={"repository": repository, "commit": commit},
            )
            # The bot may have the right to post statuses and not the right to read them.
            return {} if 400 <= error.response_status < 500 else None
        return {
            context: state if state == "success" else f"{state} {text}"
            for context, (state, text) in found.items()
            if context.startswith(f"{self._context}/")
        }

    def _post(
        self,
        repository: str,
        commit: str,
        context: str,
        row: Row,
        target: str,
        posted: Mapping[str, str],
    ) -> bool:
        """Post one status, unless it was posted; whether the forge has it now."""
        state, text = row
        text = self._site.redactor.redact_text(text)
        wanted = f"{state} {text}"
        if posted.get(context) == wanted:
            return True
        try:
            if posted.get(context) != state:
                self._site.forge.set_commit_status(
                    repository, commit, state, description=text, context=context, target_url=target
                )
        except TeaError as error:
            log.warning(
                "commit status was not set: %s",
                error.message,
                extra={"repository": repository, "commit": commit},
            )
            return False
        self._runs.note_commit_status(repository, commit, context, wanted)
        return True


def _numbers(row: PipelineRun) -> dict[str, int]:
    """The counts, with datums apart that wait for content and not for a worker."""
    numbers: dict[str, int] = {str(word): count for word, count in row.counts.items()}
    absent = sum(datum.reason == "content-missing" for datum in row.datums)
    if absent:
        numbers["wait"] = absent
        numbers["waiting"] = numbers.get("waiting", 0) - absent
    return numbers


def _waited_for(row: PipelineRun) -> Sequence[str]:
    """Ids of the jobs that a pipeline waits for, beside those that have ended."""
    return row.jobs if row.state == "running" else ()


def _trouble(jobs: Sequence[JobRecord], offers: Collection[Offered]) -> str:
    """What keeps jobs from running; empty for nothing."""
    lacking = [lack.reason for lack in lacks(jobs, offers)]
    errors = [facts.error for facts in jobs if facts.state == "waiting" and facts.error]
    return "; ".join([*lacking, *(f"tried again: {error}" for error in errors[:1])])


def _detail(row: PipelineRun, results_branch: str) -> str:
    """The detail of a pipeline and, where nothing is wrong, its remark and where its results are."""
    if row.state == "running":
        return state_words.hold_sentence(row.reason, row.detail)
    if row.state != "settled":
        return row.detail
    place = f"results in {results_branch}" if results_branch else ""
    return "; ".join(filter(None, (row.detail, place, row.remark)))
