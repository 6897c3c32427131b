"""Comments on pull requests: the plan of a commit that nobody runs, or the run of one that is processed.

A pull request is looked at under the lock of its branch ``pull/NUMBER``, whether that exists or not.  The
commit of a stranger is only read: no command of it runs, no content is fetched, no registry is asked.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import re
from collections.abc import Mapping

from tea_runner.broker.pull_request_notes import PullRequestNote
from tea_runner.core.errors import OutsideError, TeaError
from tea_runner.core.git.branch_kinds import (
    PULL_REQUEST_PREFIX,
    holds_results,
    is_pull_request_branch,
)
from tea_runner.core.git.pull_request import ListedPullRequest
from tea_runner.core.planning.paused_or_unapproved_work import PlannedWork, WorkLimits, excess
from tea_runner.core.planning.run import Run
from tea_runner.core.planning.run_status import run_status
from tea_runner.dataset.forge_dataset import ForgeDataset
from tea_runner.flow.download_size import fetch_bytes
from tea_runner.flow.incremental_planner import IncrementalPlanner
from tea_runner.flow.make_plan import PlannedCommit
from tea_runner.flow.plan_and_publish import BranchAdvancer
from tea_runner.present import pull_request_comment as shown
from tea_runner.present.forge_page import branch_page
from tea_runner.wiring import Site

log = logging.getLogger(__name__)

_NUMBER = re.compile(rf"{PULL_REQUEST_PREFIX}([1-9][0-9]{{0,8}})")


class PullRequestComments:
    """Writes them."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def number_of(self, repository: str, branch: str) -> int:
        """Number of the pull request that a branch stands for; 0 when it gets no comment."""
        found = _NUMBER.fullmatch(branch)
        wanted = self._site.settings.status.comment and self._site.is_watched(repository)
        return int(found[1]) if found and wanted else 0

    def announce(self, repository: str, branch: str) -> None:
        """Have the comments written anew that are about a branch of the repository.

        :raises QueueError: when Redis does not answer.
        """
        if not self._site.settings.status.comment or is_pull_request_branch(branch):
            return
        for number in self._site.pull_request_notes(repository).of_branch(branch):
            self._site.plan_requests.request_plan(
                repository,
                f"refs/heads/{PULL_REQUEST_PREFIX}{number}",
                why="its branch was planned",
            )

    def update(self, dataset: ForgeDataset, reader: IncrementalPlanner, number: int) -> None:
        """Write the comment on one pull request, if it says something new.

        :param reader: plans commits that are only read.
        :raises TeaError: when forge, git or Redis fail; the reconciler has it done again.
        """
        try:
            self._update(dataset, reader, number)
        except TeaError as error:
            log.warning("pull request %d has no comment: %s", number, error.message)
            raise

    def _update(self, dataset: ForgeDataset, reader: IncrementalPlanner, number: int) -> None:
        name = dataset.name
        notes = self._site.pull_request_notes(name)
        pull = self._site.forge.pull_request(name, number)
        if pull is None or pull.state != "open":
            notes.forget([number])
            _forget_commit(dataset, number)
            return
        if pull.source == name and holds_results(pull.branch):
            # It says itself what it proposes.
            notes.put(number, PullRequestNote(commit=pull.commit))
            return
        before = notes.get(number) or PullRequestNote(commit="")
        run = self._run_of(name, pull)
        said = self._of_run(pull, run) if run else self._of_plan(dataset, reader, pull)
        text = self._site.redactor.redact_text(shown.comment_text(said))
        digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
        comment = before.comment
        silent = not comment and not said.pipelines and not said.problems
        if not silent and digest != before.digest:
            comment = self._site.forge.write_comment(
                name, number, text, marker=shown.MARKER, comment=comment
            )
        branch = pull.branch if pull.source == name else ""
        notes.put(
            number,
            PullRequestNote(commit=pull.commit, branch=branch, comment=comment, digest=digest),
        )

    def _run_of(self, repository: str, pull: ListedPullRequest) -> Run | None:
        """The run of the pull request's newest commit, if it is processed."""
        branches = [f"{PULL_REQUEST_PREFIX}{pull.number}"]
        if pull.source == repository:
            branches.append(pull.branch)
        for branch in branches:
            run = self._site.runs.get(self._site.runs.current(repository, branch))
            commits = {run.commit, *(row.commit for row in run.pipelines)} if run else set()
            if run is not None and pull.commit in commits and run.pipelines:
                return run
        return None

    def _of_run(self, pull: ListedPullRequest, run: Run) -> shown.PullRequestComment:
        jobs = [job for row in run.pipelines for job in row.jobs]
        facts = self._site.jobs.states(jobs) if jobs else {}
        status = run_status(run, facts, self._site.processes.offers())
        state, sentence = shown.comment_sentence(status)
        return shown.PullRequestComment(
            commit=pull.commit,
            pipelines=shown.run_rows(status),
            problems=run.problems,
            state=state,
            sentence=sentence,
            fetch=sum(each.fetched or 0 for each in facts.values()),
            links=self._links(run),
        )

    def _links(self, run: Run) -> Mapping[str, str]:
        settings = self._site.settings
        found = {"run": f"{settings.web_url}/runs/{run.id}"}
        if run.results_branch:
            forge = settings.forge
            found["results"] = branch_page(
                forge.kind, forge.url, run.repository, run.results_branch
            )
        return found

    def _of_plan(
        self, dataset: ForgeDataset, reader: IncrementalPlanner, pull: ListedPullRequest
    ) -> shown.PullRequestComment:
        ref = _head(pull.number)
        dataset.refresh()
        dataset.approvals.fetch_heads(pull.number)
        commit = dataset.mirror.refs(ref).get(ref, "")
        try:
            planned = self._plan(dataset, reader, commit, f"{PULL_REQUEST_PREFIX}{pull.number}")
        except OutsideError:
            raise
        except TeaError as error:
            return shown.PullRequestComment(commit=commit, pipelines=(), problems=[error.message])
        pipelines = planned.tip.pipelines
        rows = [
            shown.planned_row(each, [other.name for other in pipelines.upstream(each.pipeline)])
            for each in planned.plan.pipelines
        ]
        return shown.PullRequestComment(
            commit=commit,
            pipelines=rows,
            problems=planned.plan.problems,
            fetch=fetch_bytes(planned),
            approval=self._approval(dataset.name, planned),
            next_step=self._next_step(pull, dataset.name, commit),
        )

    def _plan(
        self, dataset: ForgeDataset, reader: IncrementalPlanner, commit: str, branch: str
    ) -> PlannedCommit:
        advancer = BranchAdvancer(
            dataset=dataset,
            queue=self._site.jobs,
            who=self._site.author,
            planner=reader,
            throughput=functools.partial(self._site.throughputs.get, dataset.name),
            reuse_branches=self._site.settings.trust.reuse == "branch",
        )
        return advancer.plan(commit, dataset.scope(branch), branch)

    def _approval(self, repository: str, planned: PlannedCommit) -> str:
        """Why a push of the commit would wait for an approval; empty when it would not."""
        limits = self._site.settings.limits
        work = []
        for each in planned.plan.pipelines:
            pace = self._site.throughputs.get(repository, each.pipeline.name)
            seconds = pace.seconds if pace is not None else None
            number = len({decision.key for decision in each.to_run})
            work.append(PlannedWork(each.pipeline.name, number, seconds))
        return excess(work, WorkLimits(datums=limits.ask_above, hours=limits.ask_above_hours))

    def _next_step(self, pull: ListedPullRequest, repository: str, commit: str) -> str:
        if pull.source == repository or not self._site.settings.pull_requests:
            return ""
        words = f"tea-runner pr approve {repository} {pull.number} {commit}"
        return f"After a review, a maintainer has it run: `{words}`"


def _head(number: int) -> str:
    """The ref of the newest commit in the mirror."""
    return f"refs/pull/{number}/head"


def _forget_commit(dataset: ForgeDataset, number: int) -> None:
    """Delete the ref in the mirror, so that git may remove what the pull request alone had."""
    ref = _head(number)
    if dataset.mirror.refs(ref):
        dataset.mirror.update([f"delete {ref}"])
