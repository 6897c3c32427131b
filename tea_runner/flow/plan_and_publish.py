"""Advance a branch: plan its tip, publish finished pipelines, enqueue missing jobs.

This is due after a push, after a job and after a restart.  It is idempotent: it can be called at any
time, twice, and on two machines.  Refs move by compare-and-swap, and nothing is kept between calls.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tea_runner.core.errors import UserError
from tea_runner.core.git.branch_results_scope import queue_namespace
from tea_runner.core.planning.job import Throughput
from tea_runner.core.planning.paused_or_unapproved_work import BranchOrders, Hold, PlannedWork
from tea_runner.core.planning.plan import PipelinePlan
from tea_runner.core.planning.recompute_verdict import RecomputeVerdict
from tea_runner.core.planning.recorded_ticks import TickBook
from tea_runner.core.planning.start_causes import PipelineStart, starts_between
from tea_runner.core.planning.states import ENDED_STATES
from tea_runner.core.results.results_branch import BranchTips
from tea_runner.core.results.run_conditions import run_scope
from tea_runner.core.spec.schedule import ScheduleClock
from tea_runner.flow import compare_recomputed
from tea_runner.flow.advance_outcome import BranchProgress, PipelineProgress
from tea_runner.flow.commit_reader import open_commit
from tea_runner.flow.edited_or_missing_outputs import put_back_sentence
from tea_runner.flow.enqueue_jobs import enqueue_jobs, keep_running_jobs, keys_in_flight
from tea_runner.flow.incremental_planner import IncrementalPlanner
from tea_runner.flow.input_triggers import planning_time, with_triggers
from tea_runner.flow.make_plan import PlannedCommit, make_plan
from tea_runner.flow.output_branch import WholeResults, publish_whole_results, tips_with_results
from tea_runner.flow.publication_loop_limit import LocalPublicationCounts, PublicationLimit
from tea_runner.flow.publish_pipeline import (
    BranchMoved,
    NothingNew,
    Published,
    PublishRefused,
    ResultsUnreadable,
    publish_pipeline,
    settled_job_refs,
)
from tea_runner.flow.resolve_variable_values import without_published
from tea_runner.flow.tick_inputs import AskedTicks, due_ticks, with_asked
from tea_runner.flow.tracked_subdatasets import moved
from tea_runner.ports import Dataset, JobQueue, RecomputeRequests

#: Plans in one call.  A branch that others push to all the time is continued with the next push.
_ROUNDS = 200


@dataclass(frozen=True, kw_only=True)
class BranchAdvancer:
    """Advances branches of one dataset; calls do not depend on one another."""

    dataset: Dataset
    queue: JobQueue
    #: Author and committer of results commits, ``Name <address>``.
    who: str
    planner: IncrementalPlanner = field(default_factory=IncrementalPlanner)
    #: Names of the pipelines to plan; all when empty.
    only: Sequence[str] = ()
    #: Throughput of a pipeline's datums, where it is known.
    throughput: Callable[[str], Throughput | None] = lambda _: None
    recompute_requests: RecomputeRequests | None = None
    publication_limit: PublicationLimit = field(
        default_factory=lambda: PublicationLimit(counts=LocalPublicationCounts())
    )
    #: What people ordered for the branch, and what it may compute without them; None for no limits.
    orders: BranchOrders | None = None
    #: Setting ``trust.reuse``: whether results of untrusted branches may count on others.
    reuse_branches: bool = True
    #: Where schedules tick; without it those ticks alone count that were recorded.
    clock: ScheduleClock | None = None
    #: Ticks that people asked for.
    asked_ticks: AskedTicks | None = None

    def advance(self, branch: str) -> BranchProgress | None:
        """Bring a branch as near to "everything settled" as is possible now.

        :returns: None when there is no such branch (any more).
        :raises OutsideError: when the forge, Redis or a storage does not answer.
        """
        return _Advance(self, branch).run()

    def plan(self, commit: str, scope: str = "", branch: str = "") -> PlannedCommit:
        """The plan of one commit, as the first of :meth:`advance`.

        :param branch: as which it would be processed.
        """
        return _Advance(self, branch, scope=scope).plan(commit)


class _Advance:
    """One call of :meth:`BranchAdvancer.advance`."""

    def __init__(
        self, advancer: BranchAdvancer, branch: str = "", scope: str | None = None
    ) -> None:
        self._dataset = advancer.dataset
        self._queue = advancer.queue
        self._requests = advancer.recompute_requests
        self._advancer = advancer
        self._branch = branch
        self._scope = self._dataset.scope(branch) if scope is None else scope
        self._namespace = queue_namespace(self._dataset.name, self._scope)
        self._progress: dict[str, PipelineProgress] = {}
        self._results: list[str] = []
        self._verdicts: list[RecomputeVerdict] = []
        self._missing_at: set[str] = set()
        #: Recompute requests that the last plan was made for.
        self._pending: Mapping[str, str] = {}
        #: Results beside the branch of an earlier tip, which this call replaces.
        self._former: str | None = None
        #: Pipelines that may not be published, with the reason.
        self._refused: dict[str, str] = {}
        #: Keys that a manifest has, but whose files cannot be read any more.
        self._unreadable: set[str] = set()
        #: Keys whose recomputed result was compared and published.
        self._compared: set[str] = set()
        #: The ticks that the last plan was made for.
        self._book = TickBook()
        #: What there was before the clock's ticks of this call; None without such.
        self._before_ticks: dict[str, PipelineProgress] | None = None
        self._starts: list[PipelineStart] = []

    def run(self) -> BranchProgress | None:
        """See :meth:`BranchAdvancer.advance`."""
        whole: WholeResults | None = None
        for _ in range(_ROUNDS):
            found = tips_with_results(self._dataset, self._branch, self._advancer.planner.cache)
            if found is None:
                if self._requests is not None:
                    self._requests.cancel_jobs_except(())
                # The index has read their rows before.
                self._dataset.remove_results(self._branch)
                self._dataset.remove_ticks(self._branch)
                return None
            tips, planned = found, self.plan(found.planned)
            self._former = found.former or self._former
            for plan in planned.plan.pipelines:
                self._record_progress(plan)
            ready = next(
                (
                    plan
                    for plan in planned.plan.pipelines
                    if plan.state == "ready" and plan.pipeline.name not in self._refused
                ),
                None,
            )
            if ready is not None:
                self._publish(planned, ready)
            elif not self._take_ticks(planned):
                whole = self._publish_whole(tips)
                if whole is not None:
                    break
        with self._exclusive():
            self._finish(planned)
        if self._requests is not None and not self._advancer.only:
            self._requests.cancel_jobs_except(
                {job for each in self._progress.values() for job in each.jobs}
            )
        if not tips.has_results and self._has_ended():
            self._dataset.remove_results(self._branch)
        return BranchProgress(
            planned=planned,
            pushed=tips.pushed,
            results_branch=tips.output
            if whole is not None and whole.moved
            else tips.results_branch
            if tips.has_results
            else "",
            pipelines=self._progress,
            results=self._results,
            verdicts=self._verdicts,
            missing_at=self._missing_at,
            before_ticks=self._before_ticks,
            starts=self._starts,
            approved_by=self._advancer.orders.approver(planned.tip.tree.origin)
            if self._advancer.orders is not None
            else "",
        )

    def plan(self, commit: str) -> PlannedCommit:
        """The plan of a commit, with tracked subdatasets at the tips of their own branches."""
        links, objects = self._dataset.subdatasets_of(self._scope), self._dataset.objects
        cache = self._advancer.planner.cache
        if self._branch:
            self._book = self._dataset.tick_book(self._branch)
        book, time = self._book, planning_time(self._advancer.clock)
        tip = open_commit(objects, commit, cache, subdatasets=links, book=book, time=time)
        with contextlib.suppress(UserError):
            pins = moved(tip)
            if pins:
                tip = open_commit(
                    objects, commit, cache, subdatasets=links, pins=pins, book=book, time=time
                )
        if self._requests is not None:
            self._pending = self._requests.pending()
        return make_plan(
            self._dataset,
            tip,
            failures=lambda keys: self._queue.failures(self._namespace, keys),
            missing=lambda keys: self._missing(commit, keys),
            only=self._advancer.only,
            forced=self._pending,
            unreadable=self._unreadable,
            compared=self._compared,
            scope=self._scope,
            reader=run_scope(self._branch, self._scope),
            reuse_branches=self._advancer.reuse_branches,
            planner=self._advancer.planner,
        )

    def _take_ticks(self, planned: PlannedCommit) -> bool:
        """Record ticks that are due or asked for, and what triggers found; whether to plan again.

        What still runs gets no new tick: a schedule that is faster than its command would never publish.
        """
        clock, asked = self._advancer.clock, self._advancer.asked_ticks
        wanted = asked.pending() if asked is not None else ()
        if clock is None and not wanted and not self._book.variables:
            return False
        busy = {
            plan.pipeline.name
            for plan in planned.plan.pipelines
            if plan.state in ("running", "waiting", "ready")
        }
        book = self._dataset.tick_book(self._branch)
        book_now = without_published(planned.tip, book, planned.plan)
        due = due_ticks(planned.tip, book_now, clock, busy) if clock is not None else book_now
        ticked = due.pending != book.pending and not wanted
        due = with_asked(
            planned.tip, with_triggers(planned.tip, due, planned.triggers, planned.plan), wanted
        )
        changed = due != book
        if changed and not self._dataset.record_ticks(self._branch, due):
            self._dataset.refresh()
            return True
        self._starts += starts_between(book, due, wanted)
        if ticked and self._before_ticks is None:
            self._before_ticks = dict(self._progress)
        for each in wanted:
            assert asked is not None
            asked.recorded(each)
        return changed

    def _publish_whole(self, tips: BranchTips) -> WholeResults | None:
        """See :func:`publish_whole_results`; without it all pipelines failed."""
        if self._advancer.only:
            return WholeResults()
        whole = publish_whole_results(self._dataset, tips, self._progress.values())
        if whole is not None and whole.refusal:
            for name, each in self._progress.items():
                self._progress[name] = replace(each, state="failed", detail=whole.refusal)
        return whole

    def _missing(self, commit: str, keys: Sequence[str]) -> dict[str, str]:
        """Keys whose inputs have no content yet, with the sentence.

        What was missing for another commit, or before ``git-annex`` moved, may have arrived since.
        """
        annex_tip = self._dataset.annex_tip() or ""
        found = self._queue.missing(self._namespace, keys)
        lacking = {
            key: each.sentence
            for key, each in found.items()
            if (each.commit, each.annex_tip) == (commit, annex_tip)
        }
        if lacking:
            self._missing_at.add(annex_tip)
        return lacking

    def _record_progress(self, plan: PipelinePlan) -> None:
        name = plan.pipeline.name
        before = self._progress.get(name)
        if before is not None and before.commit and plan.state == "settled":
            # It was published in an earlier round of this call: those counts say what was done.
            self._progress[name] = replace(before, state="settled")
        elif name in self._refused:
            self._progress[name] = PipelineProgress.refused(plan, self._refused[name])
        else:
            # With on_failure: publish, a pipeline fails although it was published.
            commit = before.commit if before is not None else ""
            self._progress[name] = replace(PipelineProgress.planned(plan), commit=commit)

    def _publish(self, planned: PlannedCommit, plan: PipelinePlan) -> None:
        refusal = self._advancer.publication_limit.refusal(planned.tip, plan)
        if refusal:
            self._refused[plan.pipeline.name] = refusal
            return
        outcome = publish_pipeline(
            self._dataset,
            self._branch,
            planned,
            plan,
            who=self._advancer.who,
            scope=self._scope,
            former=self._former,
        )
        match outcome:
            case Published():
                self._record_published(planned, plan, outcome)
            case PublishRefused(message=message):
                self._refused[plan.pipeline.name] = message
            case ResultsUnreadable(keys=keys):
                self._unreadable.update(keys)
            case BranchMoved():
                self._dataset.refresh()
            case NothingNew(refs=refs):
                book = self._book.without_pending(plan.pipeline.name)
                if not self._dataset.record_ticks(self._branch, book, refs):
                    self._dataset.refresh()

    def _record_published(
        self, planned: PlannedCommit, plan: PipelinePlan, published: Published
    ) -> None:
        verdicts = published.verdicts
        self._verdicts += verdicts
        self._compared |= {d.key for d in plan.moving if d.reason == "forced"}
        if self._requests is not None and verdicts:
            request = max(planned.unsettled[verdict.key][1].salt for verdict in verdicts)
            self._requests.record_verdicts(request, verdicts)
        self._progress[plan.pipeline.name] = PipelineProgress.published(
            plan,
            published.commit,
            compare_recomputed.verdict_sentence(verdicts) or put_back_sentence(planned.tip, plan),
        )
        if published.changed:
            self._results.append(published.commit)
            self._advancer.publication_limit.count(planned.tip, plan)
        self._clean_up(planned, plan)

    def _has_ended(self) -> bool:
        """Whether no results are still to come of this plan, which may be one of some pipelines only."""
        states = (progress.state for progress in self._progress.values())
        return not self._advancer.only and all(state in ENDED_STATES for state in states)

    def _exclusive(self) -> contextlib.AbstractContextManager[object]:
        """A lock while jobs are enqueued, where other repositories may compute the same keys."""
        if self._requests is not None and self._dataset.trusted_repositories:
            return self._requests.exclusive()
        return contextlib.nullcontext()

    def _finish(self, planned: PlannedCommit) -> None:
        """Clean up after settled pipelines; enqueue the jobs of running ones."""
        dataset, queue = self._dataset, self._queue
        running: list[tuple[PipelinePlan, Mapping[str, str]]] = []
        for plan in planned.plan.pipelines:
            if plan.state == "settled":
                # The process that published it may have ended before its clean-up.
                self._clean_up(planned, plan)
            elif plan.state == "running":
                running.append((plan, keys_in_flight(dataset, queue, planned, plan, self._scope)))
        holds = self._holds(planned, running)
        for plan, live in running:
            name = plan.pipeline.name
            hold = holds.get(name)
            if hold is not None:
                jobs = keep_running_jobs(dataset, queue, self._branch, live)
            else:
                jobs = enqueue_jobs(
                    dataset,
                    queue,
                    self._branch,
                    planned,
                    plan,
                    scope=self._scope,
                    in_flight=live,
                    throughput=self._advancer.throughput,
                )
            self._progress[name] = replace(self._progress[name], jobs=jobs, hold=hold)

    def _holds(
        self, planned: PlannedCommit, running: Sequence[tuple[PipelinePlan, Mapping[str, str]]]
    ) -> Mapping[str, Hold]:
        """Pipelines whose jobs do not begin: what people asked to compute again is never too much."""
        if self._advancer.orders is None:
            return {}
        work = []
        for plan, live in running:
            pace = self._advancer.throughput(plan.pipeline.name)
            new = {d.key for d in plan.to_run if d.reason != "forced"}.difference(live)
            seconds = pace.seconds if pace is not None else None
            work.append(PlannedWork(plan.pipeline.name, len(new), seconds))
        return self._advancer.orders.holds(planned.tip.tree.origin, work)

    def _clean_up(self, planned: PlannedCommit, plan: PipelinePlan) -> None:
        """Delete job refs of a settled pipeline and complete its recompute requests."""
        refs = settled_job_refs(planned, plan, self._scope)
        if refs:
            self._dataset.delete_job_refs(refs)
        if self._requests is not None:
            self._verdicts += compare_recomputed.complete_requests(
                self._requests, self._pending, planned, plan
            )
