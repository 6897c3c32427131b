"""Consumer of the plan queue: plans a branch, settles its results, and posts its commit statuses."""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import time
from dataclasses import dataclass, replace
from itertools import count

from tea_runner.broker.job_scripts import ENDED
from tea_runner.core.errors import TeaError
from tea_runner.core.git.branch_kinds import ANNEX_BRANCH, exclusion
from tea_runner.core.git.branch_results_scope import queue_namespace
from tea_runner.core.planning.cancel_retry_recompute import RunAction
from tea_runner.core.planning.paused_or_unapproved_work import BranchOrders, WorkLimits
from tea_runner.core.planning.run import Run, run_id
from tea_runner.dataset.forge_dataset import ForgeDataset
from tea_runner.flow.advance_outcome import BranchProgress
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.incremental_planner import IncrementalPlanner
from tea_runner.flow.plan_and_publish import BranchAdvancer
from tea_runner.flow.planning_cache import PlanningCache
from tea_runner.flow.publication_loop_limit import PublicationLimit
from tea_runner.flow.tracked_subdatasets import tracked
from tea_runner.host.fault_point import reached, step
from tea_runner.host.gc_tuning import gc_paused
from tea_runner.host.log_redaction import redact_logs
from tea_runner.host.structured_log import log_fields
from tea_runner.wiring import Site
from workers.answer_planner_queries import QuestionAnswers
from workers.branch_notices import BranchNotices
from workers.cancel_retry_recompute import RunActionAnswers
from workers.commit_statuses import CommitStatuses
from workers.count_run_metrics import count_run
from workers.failure_policy import retry_plan
from workers.lru_pool import ResourcePool
from workers.note_next_tick import WHY, note_next_tick
from workers.plan_queue_items import read_plan_request, read_question
from workers.pull_request_approvals import PullRequestApprovals
from workers.pull_request_comments import PullRequestComments
from workers.results_pull_requests import ResultsPullRequests
from workers.run_from_plan import summarize_run
from workers.skip_requested_pushes import SkippedPushes
from workers.superseded_runs import SupersededRuns
from workers.tick_runs import TickRuns

log = logging.getLogger(__name__)

#: Repositories that are kept open.
_OPEN_REPOSITORIES = 48


@dataclass(frozen=True, kw_only=True)
class _PlannedRepository:
    """A repository, and the facts of its commits that stay in memory."""

    repository: ForgeDataset
    planner: IncrementalPlanner
    #: For commits of pull requests that nobody approved: no registry is asked for their images.
    reader: IncrementalPlanner

    def evict_unused(self) -> None:
        """Free what the last plan did not use."""
        self.reader.evict_unused()
        self.repository.objects.evict()
        self.planner.evict_unused()

    def close(self) -> None:
        """End the processes of the repository."""
        self.repository.close()
        self.planner.clear()
        self.reader.clear()


class BranchPlanner:
    """Plans branches and settles finished results; an instance is the handler of a QueueConsumer."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._repositories = ResourcePool(self._open, _OPEN_REPOSITORIES)
        self._statuses = CommitStatuses(site)
        self._ends = SupersededRuns(site, self._statuses)
        self._notices = BranchNotices(site)
        self._pulls = PullRequestComments(site)
        self._approvals = PullRequestApprovals(site)
        self._actions = RunActionAnswers(site)
        self._answers = QuestionAnswers(site)
        self._proposals = ResultsPullRequests(site)
        self._skipped = SkippedPushes(site, self._statuses, self._ends)
        self._ticks = TickRuns(site, self._ends, self._notices)
        redact_logs(site.redactor.redact_text)

    def __call__(self, argument: str) -> None:
        """Plan one branch.

        :param argument: ``["owner/name", "branch"]`` as JSON.
        :raises QueueError: when Redis does not answer; the reconciler requests the plan again.
        """
        name = read_question(argument)
        if name:
            self._answer(name)
            return
        request = read_plan_request(argument)
        if request is None:
            log.warning("dropped a malformed plan request: %.80r", argument)
            return
        repository, branch = request
        if branch == ANNEX_BRANCH:
            self._plan_what_waits_for_annex(repository)
        else:
            self.plan(repository, branch)

    def _answer(self, name: str) -> None:
        """Answer what somebody waits for still, if its repository is processed here."""
        question = self._site.questions.take(name)
        if question is None or not self._site.is_watched(question.repository):
            return
        if isinstance(question, RunAction):
            self._actions.carry_out(question)
        else:
            dataset = self._repositories[question.repository]
            self._answers.answer(question, dataset)
            dataset.evict_unused()

    def _plan_what_waits_for_annex(self, repository: str) -> None:
        """Request plans of the branches for which a push of git-annex's branch may be the cure.

        They wait for missing content, or their last run failed: storages are described there, too.
        """
        plans = self._site.plan_requests
        plans.begin(repository, ANNEX_BRANCH)
        if not self._site.is_watched(repository):
            return
        for branch, waits in plans.waits_for_content(repository).items():
            run = (
                None if waits else self._site.runs.head(self._site.runs.current(repository, branch))
            )
            if waits or (run is not None and run.state == "failed"):
                plans.request_plan(
                    repository, f"refs/heads/{branch}", why="its git-annex branch moved"
                )

    def plan(self, repository: str, branch: str) -> BranchProgress | None:
        """Plan a branch; outside errors are retried, then left to the reconciler.

        :returns: None when another planner has the branch, when it is not planned here, or on failure.
        """
        with log_fields(repository=repository, branch=branch):
            result = self._lock_and_plan(repository, branch)
        if result is not None:
            # The branch is done: now there is time for what the next plan would read before its fetch.
            with contextlib.suppress(TeaError, OSError):
                dataset = self._repositories[repository]
                dataset.repository.index.update()
                dataset.evict_unused()
        return result

    def _lock_and_plan(self, repository: str, branch: str) -> BranchProgress | None:
        with self._site.plan_requests.lock(repository, branch) as token:
            if not token:
                # The other planner may have read the branch before its latest push.
                self._site.queues.enqueue("plan", json.dumps([repository, branch]))
                return None
            reached("plan")
            why = self._site.plan_requests.begin(repository, branch)
            excluded = self._exclusion(repository, branch)
            number = self._pulls.number_of(repository, branch)
            if excluded:
                self._site.schedule_times.put(repository, branch, None)
                if not number:
                    # Requested before the settings changed, or by another writer to Redis.
                    log.warning("not planned: %s", excluded)
                self._ends.end_run_of_branch(repository, branch, excluded)
                self._comment(repository, number)
                return None
            for attempt in count(1):
                try:
                    result = self._advance(repository, branch, token, why)
                    self._comment(repository, number)
                    return result
                except TeaError as error:
                    log.warning("not planned: %s", error.message)
                    pause = retry_plan(error, attempt)
                    if pause is None:
                        self._report(repository, branch, error.message)
                        return None
                    time.sleep(pause)
        return None

    def _comment(self, repository: str, number: int) -> None:
        """Write the comment on a pull request anew; trouble with that is no trouble of the plan."""
        if number:
            with contextlib.suppress(TeaError):
                dataset = self._repositories[repository]
                self._pulls.update(dataset.repository, dataset.reader, number)

    def _exclusion(self, repository: str, branch: str) -> str:
        """Why the settings exclude a branch, however its plan was requested; empty if they do not."""
        settings = self._site.settings
        if not self._site.is_watched(repository):
            return "the settings exclude this repository; see repositories"
        return exclusion(branch, settings.branches, pull_requests=settings.pull_requests)

    def _open(self, name: str) -> _PlannedRepository:
        cache = PlanningCache(
            strict_hashes=self._site.settings.annex.strict_hashes,
            allowed=self._site.allowed_resources,
            images=self._site.images,
            software=self._site.software,
        )
        own = PlanningCache(
            strict_hashes=cache.strict_hashes, allowed=cache.allowed, software=cache.software
        )
        return _PlannedRepository(
            repository=self._site.repository(name),
            planner=IncrementalPlanner(cache),
            reader=IncrementalPlanner(own),
        )

    def _advance(self, name: str, branch: str, token: str, why: str) -> BranchProgress | None:
        """Plan the branch once.

        :param token: of the lock on the branch.
        :param why: reason of the plan request.
        """
        dataset = self._repositories[name]
        repository = dataset.repository
        since = self._site.runs.current(name, branch)
        # Before the fetch, which may remove refs: their results stay in the index.
        repository.index.update()
        with step("refresh"):
            # After jobs of this host, all that they pushed is here already.
            repository.refresh(expected=why != ENDED)
        if self._approvals.carry_out(repository, branch, dataset.planner.cache):
            repository.refresh()
        marker = self._skipped.marker(repository, branch, dataset.planner.cache)
        ticking = self._skipped.ticking(repository, branch, dataset.planner.cache) if marker else ()
        if marker and not ticking:
            self._skipped.record(repository, branch, marker, token, dataset.planner.cache)
            return None
        advancer = BranchAdvancer(
            dataset=repository,
            queue=self._site.jobs,
            who=self._site.author,
            planner=dataset.planner,
            only=ticking,
            throughput=functools.partial(self._site.throughputs.get, name),
            recompute_requests=self._site.recompute_requests(name, branch),
            publication_limit=PublicationLimit(
                counts=self._site.publication_counts(name, branch),
                most=self._site.settings.max_publications,
            ),
            orders=self._orders(name, branch),
            reuse_branches=self._site.settings.trust.reuse == "branch",
            clock=self._site.clock(name, branch),
            asked_ticks=self._site.asked_ticks(name, branch),
        )
        began = time.monotonic()
        with step("advance"), gc_paused():
            result = advancer.advance(branch)
        if result is not None and result.results:
            self._site.metric_counters.observe(settle=time.monotonic() - began)
        dataset.evict_unused()
        if result is None:
            self._site.schedule_times.put(name, branch, None)
            self._ends.end_run_of_branch(name, branch, f"the branch {branch} was deleted")
            return None
        self._register(name, branch, result.planned.tip)
        note_next_tick(
            self._site,
            name,
            branch,
            result.planned.tip.pipelines.written,
            repository.tick_book(branch),
            result.planned.triggers.values(),
        )
        self._site.superdatasets.announce(name, branch, result.pushed)
        if marker and not (result.results or any(p.jobs for p in result.pipelines.values())):
            self._skipped.record(repository, branch, marker, token, dataset.planner.cache)
            return result
        accepted = True
        if result.pipelines or result.problems:
            if result.before_ticks is not None:
                before = replace(result, pipelines=result.before_ticks)
                run = self._summarize(name, branch, before, why)
                since = self._ticks.end_before(run, since, repository.scope(branch))
                why = WHY
            with step("remember"):
                run, replaced = self._site.runs.save(
                    self._summarize(name, branch, result, why),
                    active=bool(result.results or any(p.jobs for p in result.pipelines.values())),
                    since=since or None,
                )
            self._ticks.list(run, result.starts)
            with step("status"):
                accepted = self._statuses.post(run, result)
                self._pulls.announce(name, branch)
                self._notices.tell(run, repository.scope(branch))
                count_run(self._site, run)
                accepted &= self._proposals.update(repository, branch, result, run.id)
                if replaced is not None:
                    self._ends.post(replaced)
        else:
            why = f"replaced by the push of {result.origin[:12]}, which has no pipelines"
            self._ends.end_run_of_branch(name, branch, why)
            accepted = self._proposals.update(repository, branch, result, "")
        if any(plan.reason == "image-unavailable" for plan in result.planned.plan.pipelines):
            # The branch stays unplanned: the reconciler has it planned again.
            return result
        # Last: a planner that dies before this leaves the branch to the reconciler.
        plans = self._site.plan_requests
        if not plans.complete(
            name,
            branch,
            result.pushed,
            token,
            missing_at=result.missing_at,
            commit_statuses_accepted=accepted,
            waits_for_jobs=any(progress.jobs for progress in result.pipelines.values()),
        ):
            plans.request_plan(name, f"refs/heads/{branch}", why="Redis lost what was planned")
        reached("plan.end")
        return result

    def _orders(self, name: str, branch: str) -> BranchOrders:
        limits = self._site.settings.limits
        return BranchOrders(
            repository=name,
            branch=branch,
            limits=WorkLimits(datums=limits.ask_above, hours=limits.ask_above_hours),
            orders=self._site.orders.restore(),
        )

    def _summarize(self, name: str, branch: str, result: BranchProgress, why: str) -> Run:
        objects = self._repositories[name].repository.objects
        failed = [
            d.key for p in result.pipelines.values() for d in p.moving if d.action == "failed"
        ]
        scope = self._repositories[name].repository.scope(branch)
        failures = self._site.jobs.failures(queue_namespace(name, scope), failed)
        return summarize_run(
            name,
            branch,
            objects.commit(result.origin),
            result,
            cause=why,
            cancelled={key for key, each in failures.items() if each.is_cancelled},
        )

    def _register(self, name: str, branch: str, tip: CommitReader) -> None:
        """Have this branch planned again when a subdataset that it tracks moves."""
        names = []
        with contextlib.suppress(TeaError):
            subdatasets = tip.tree.subdatasets
            if subdatasets is not None:
                names += [subdatasets.name(submodule) for submodule, _ in tracked(tip).values()]
        self._site.superdatasets.register(name, branch, names)

    def _report(self, repository: str, branch: str, error: str) -> None:
        """Post the error as a status of the branch's commit, where there is one."""
        with contextlib.suppress(TeaError, OSError):
            commit = self._tip(repository, branch)
            if commit:
                run = self._site.runs.note_trouble(
                    self._unplanned(repository, branch, commit),
                    error,
                    wait=self._site.settings.reconcile.every,
                )
                self._statuses.post_error(repository, commit, error, run.id if run else "")

    def _tip(self, repository: str, branch: str) -> str | None:
        """The branch's commit, from the mirror, or from the forge's API where git does not get there."""
        with contextlib.suppress(TeaError, OSError):
            tip = self._repositories[repository].repository.mirror.tip(branch)
            if tip:
                return tip
        return self._site.forge.branches(repository).get(branch)

    def _unplanned(self, repository: str, branch: str, commit: str) -> Run:
        """The run of a commit that could not be planned yet, and perhaps not be fetched."""
        run = Run(
            id=run_id(repository, branch, commit),
            repository=repository,
            branch=branch,
            commit=commit,
            cause="push",
        )
        with contextlib.suppress(TeaError, OSError):
            pushed = self._repositories[repository].repository.objects.commit(commit)
            run = replace(run, title=pushed.subject, author=pushed.author)
        return run

    def close(self) -> None:
        """End the processes of its repositories."""
        self._repositories.close()
