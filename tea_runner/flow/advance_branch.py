"""A branch in; its tip brought as near to "everything settled" as can be done now.

One function does what is due after a push, after a job, after a restart: it plans the tip from git,
publishes each pipeline whose results are all known, plans again, and asks for the jobs that are
missing.  It can be called at any time, twice, and on two machines, without harm: what moves is moved
by compare-and-swap, and nothing is remembered between calls.
"""

from __future__ import annotations

import contextlib
import functools
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import chain

from tea_runner.core.errors import ContentMissing, OutputRefused, UserError
from tea_runner.core.git.scope import queue_namespace, refs_of
from tea_runner.core.planning.job import Job, Throughput, batch_datums
from tea_runner.core.planning.plan import Decision, PipelinePlan
from tea_runner.core.planning.recompute_verdict import RecomputeVerdict
from tea_runner.core.planning.states import ENDED_STATES, PlanState
from tea_runner.core.results.compose import FinishedDatum
from tea_runner.core.results.dataset_command import Paths, declared_outputs, record_text
from tea_runner.core.results.result import Result
from tea_runner.flow import recompute
from tea_runner.flow.commit_view import CommitView
from tea_runner.flow.make_plan import PlannedCommit, make_plan
from tea_runner.flow.pipeline_inputs import PipelineInputs, input_bytes
from tea_runner.flow.planning_cache import PlanningCache
from tea_runner.flow.settle import finish, settle
from tea_runner.flow.tracked_subdatasets import moved
from tea_runner.ports import Dataset, JobQueue, RecomputeRequests

#: A plan is made again at most so many times in one call; a branch that others move all the time
#: gets its turn with the next push.
_ROUNDS = 200


@dataclass
class PipelineProgress:
    """How one pipeline stands, in numbers of datums; they add up to all of them."""

    pipeline: str
    state: PlanState
    counts: Counter[str] = field(default_factory=Counter)
    detail: str = ""
    commit: str = ""
    jobs: list[str] = field(default_factory=list)
    plan: PipelinePlan | None = None

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """All that was decided, in the order of the datums."""
        return self.plan.decisions if self.plan is not None else ()

    @property
    def moving(self) -> tuple[Decision, ...]:
        """What was decided of datums that did not just stay as they were."""
        return self.plan.moving if self.plan is not None else ()


@dataclass
class AdvanceResult:
    """What a call found and did."""

    commit: str
    origin: str
    pipelines: dict[str, PipelineProgress] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    results: list[str] = field(default_factory=list)
    planned: PlannedCommit | None = None
    #: What came of datums that were computed although they were known.
    verdicts: list[RecomputeVerdict] = field(default_factory=list)

    @property
    def ended(self) -> bool:
        """Whether nothing is under way any more."""
        return all(p.state in ENDED_STATES for p in self.pipelines.values())


@dataclass(kw_only=True)
class BranchAdvancer:
    """What :meth:`advance` needs beside a branch."""

    dataset: Dataset
    queue: JobQueue
    #: Author and committer of results commits, ``Name <address>``.
    who: str
    cache: PlanningCache = field(default_factory=PlanningCache)
    only: Sequence[str] = ()
    #: How fast a pipeline's datums were, where that is known.
    pace: Callable[[str], Throughput | None] = lambda _: None
    recompute_requests: RecomputeRequests | None = None
    #: Tips of ``git-annex`` at which content was missing that the branch waits for.
    starved: set[str] = field(default_factory=set)
    #: Of the call in hand: pipelines that may not be published, and why; keys that only seem known.
    _refused: dict[str, str] = field(default_factory=dict)
    _hopeless: set[str] = field(default_factory=set)
    _scope: str = ""
    #: Keys whose wished result was compared, and what came of it.
    _judged: set[str] = field(default_factory=set)
    _verdicts: list[RecomputeVerdict] = field(default_factory=list)

    def advance(self, branch: str) -> AdvanceResult | None:
        """See the module; None when there is no such branch (any more).

        :raises OutsideError: when the forge, Redis or a storage does not answer.
        """
        self._refused.clear()
        self._hopeless.clear()
        self.starved.clear()
        self._scope = self.dataset.scope(branch)
        progress: dict[str, PipelineProgress] = {}
        results: list[str] = []
        self._verdicts = []
        self._judged.clear()
        last: AdvanceResult | None = None
        for _ in range(_ROUNDS):
            commit = self.dataset.tip(branch)
            if commit is None:
                if self.recompute_requests is not None:
                    self.recompute_requests.cancel_jobs_except(())
                return None
            planned = self.plan(commit)
            last = AdvanceResult(
                commit,
                planned.tip.origin,
                progress,
                planned.plan.problems,
                results,
                planned,
                self._verdicts,
            )
            for plan in planned.plan.pipelines:
                self._note(progress, plan)
            ready = [
                plan
                for plan in planned.plan.pipelines
                if plan.state == "ready" and plan.pipeline.name not in self._refused
            ]
            if not ready:
                break
            if not self._publish(branch, planned, ready[0], progress, results):
                self.dataset.refresh()
        assert last is not None
        assert last.planned is not None
        together = self.recompute_requests is not None and self.dataset.trusted_repositories
        with (
            self.recompute_requests.exclusive()
            if self.recompute_requests and together
            else contextlib.nullcontext()
        ):
            self._carry_on(branch, last, progress)
        if self.recompute_requests is not None and not self.only:
            self.recompute_requests.cancel_jobs_except(
                {job for each in progress.values() for job in each.jobs}
            )
        return last

    def _carry_on(
        self, branch: str, last: AdvanceResult, progress: dict[str, PipelineProgress]
    ) -> None:
        """Tidy up behind what is settled, ask for what is missing."""
        assert last.planned is not None
        for plan in last.planned.plan.pipelines:
            if plan.state == "settled":
                # Whoever published it may have died before he could tidy up.
                self._clean(last.planned, plan)
                self._answer(last.planned, plan)
            elif plan.state == "running":
                pins = tuple(sorted(last.planned.tip.pins.items()))
                progress[plan.pipeline.name].jobs = self._start(branch, last.planned, plan, pins)

    def plan(self, commit: str) -> PlannedCommit:
        """The plan of one commit, with tracked subdatasets where their own branches are."""
        links, objects = self.dataset.subdatasets, self.dataset.objects
        tip = CommitView(objects, commit, self.cache, links=links)
        with contextlib.suppress(UserError):
            pins = moved(tip)
            if pins:
                tip = CommitView(objects, commit, self.cache, links=links, pins=pins)
        return make_plan(
            self.dataset,
            tip,
            failures=lambda keys: self.queue.failures(self._ledger, keys),
            missing=lambda keys: self._missing(commit, keys),
            only=self.only,
            forced=self.recompute_requests.pending() if self.recompute_requests is not None else {},
            hopeless=self._hopeless,
            judged=self._judged,
            scope=self._scope,
        )

    def _missing(self, commit: str, keys: Sequence[str]) -> dict[str, str]:
        """Keys whose inputs have no content yet, with the sentence.

        What was missing for another commit, or before ``git-annex`` moved, may be there by now.
        """
        now = (commit, self.dataset.annex_tip() or "")
        found = self.queue.missing(self._ledger, keys)
        lacking = {key: each.sentence for key, each in found.items() if each[:2] == now}
        if lacking:
            self.starved.add(now[1])
        return lacking

    @property
    def _ledger(self) -> str:
        return queue_namespace(self.dataset.name, self._scope)

    def _note(self, progress: dict[str, PipelineProgress], plan: PipelinePlan) -> None:
        name = plan.pipeline.name
        known = progress.get(name)
        if known is not None and known.commit and plan.state == "settled":
            # It was published in an earlier round of this call: those counts say what was done.
            known.state = "settled"
            return
        if name in self._refused:
            counts = Counter(failed=len(plan.decisions))
            progress[name] = PipelineProgress(name, "failed", counts, self._refused[name])
            return
        failed = next((d.detail for d in plan.moving if d.action in ("failed", "wait")), "")
        progress[name] = PipelineProgress(
            name, plan.state, plan.counts, plan.detail or failed, plan=plan
        )

    def _publish(
        self,
        branch: str,
        planned: PlannedCommit,
        plan: PipelinePlan,
        progress: dict[str, PipelineProgress],
        results: list[str],
    ) -> bool:
        """Settle one pipeline; False when the branch moved meanwhile."""
        name = plan.pipeline.name
        work = planned.works[name]
        finished = finish(work, plan, lambda d: self._result(planned, work, d))
        if isinstance(finished, Decision):
            if finished.key in planned.unsettled:
                self._refused[name] = (
                    f"the result of datum {finished.label} cannot be saved as .gitattributes asks "
                    f"for it here; give both pipelines the same rules"
                )
                return True
            # Some manifest knew it, but its files cannot be read any more: it counts as unknown.
            self._hopeless.add(finished.key)
            return True
        finished, verdicts = recompute.judge_recomputed(planned.tip, plan, finished)
        try:
            done = settle(
                self.dataset,
                branch,
                planned.tip,
                work,
                finished,
                plan.gone(planned.tip.manifest(plan.pipeline)),
                who=self.who,
                storage_uuid=self.dataset.storage_uuid,
                stored=_stored(planned, plan),
                command=command_of(work),
            )
        except ContentMissing as error:
            # Known, but only as a name: what has lost its content is computed again.
            gone = set(error.keys)
            lost = [f.key for f in finished if gone & {o.name for o in f.result.outputs}]
            self._hopeless.update(lost)
            return bool(lost) or not gone
        except (OutputRefused, UserError) as error:
            self._refused[name] = error.message
            return True
        if done is None:
            return False
        composition, commit = done
        self._verdicts += verdicts
        self._judged |= {d.key for d in plan.moving if d.reason == "forced"}
        if self.recompute_requests is not None and verdicts:
            salts = {planned.unsettled[v.key][1].salt for v in verdicts}
            self.recompute_requests.record_verdicts(max(salts), verdicts)
        fresh = len({d.key for d in plan.moving if d.source == "job"})
        counts: Counter[str] = Counter(done=fresh, failed=plan.counts["failed"])
        counts["reused"] = len(plan.decisions) - counts.total()
        progress[name] = PipelineProgress(
            name,
            "settled",
            +counts,
            recompute.verdict_sentence(verdicts),
            commit=commit,
            plan=plan,
        )
        if not composition.empty:
            results.append(commit)
        self._clean(planned, plan)
        self._answer(planned, plan)
        return True

    def _result(
        self, planned: PlannedCommit, work: PipelineInputs, decision: Decision
    ) -> Result | None:
        """A known result, in the form in which it is saved where this datum's outputs go."""
        found = planned.unsettled.get(decision.key)
        result = found[1] if found else self.dataset.known_result(decision.key, self._scope)
        if result is None:
            return None
        directory = "/".join(part for part in (work.pipeline.home, decision.place) if part)
        return self.dataset.converted_result(result, planned.tip.root, directory)

    def _answer(self, planned: PlannedCommit, plan: PipelinePlan) -> None:
        """Wishes that this pipeline has fulfilled are done with."""
        if self.recompute_requests is None or plan.to_run:
            return
        wished = self.recompute_requests.pending()
        for wish, verdict in recompute.failures(plan, planned.tried):
            self._verdicts.append(verdict)
            self.recompute_requests.record_verdicts(wish, [verdict])
        if wished:
            words = {plan.pipeline.name, *(decision.key for decision in plan.decisions)}
            self.recompute_requests.complete(words & wished.keys())

    def _clean(self, planned: PlannedCommit, plan: PipelinePlan) -> None:
        """Refs of jobs whose results stand in a manifest now are not needed any more."""
        by_ref: dict[str, set[str]] = {}
        for key, (ref, _) in planned.unsettled.items():
            # What a trusted branch still waits for is not another branch's to remove.
            if ref.startswith(refs_of(self._scope)):
                by_ref.setdefault(ref, set()).add(key)
        settled = {decision.key for decision in plan.moving}
        if not settled.issuperset(chain.from_iterable(by_ref.values())):
            settled = {decision.key for decision in plan.decisions}
        self.dataset.delete_job_refs([ref for ref, keys in by_ref.items() if keys <= settled])

    def _start(
        self,
        branch: str,
        planned: PlannedCommit,
        plan: PipelinePlan,
        pins: tuple[tuple[str, str], ...],
    ) -> list[str]:
        """Ask for the jobs that are missing; returns the ids of all that the pipeline waits for."""
        work = planned.works[plan.pipeline.name]
        to_run = plan.to_run
        flying = self._flying(planned, [decision.key for decision in to_run])
        ids = list(dict.fromkeys(flying.values()))
        for job_id in ids:
            self.queue.subscribe(self.dataset.name, branch, job_id)
        rest: dict[str, list[Decision]] = {}
        for decision in to_run:
            if decision.key not in flying:
                rest.setdefault(planned.forced.get(decision.key, ""), []).append(decision)
        most = plan.pipeline.parallelism
        if most is not None:
            # What an earlier push has under way counts; each job that ends has the branch planned
            # again, so what finds no room now has its turn then.
            most = max(0, most - len(ids))
        weighed = chain.from_iterable(rest.values()) if plan.pipeline.datum_set_bytes else ()
        sizes = input_bytes(planned.tip, work, (decision.label for decision in weighed))
        sets = [
            (salt, group)
            for salt, decisions in sorted(rest.items())
            for group in batch_datums(
                decisions,
                number=plan.pipeline.datum_set_number,
                most=most,
                pace=self.pace(plan.pipeline.name),
                size_bytes=plan.pipeline.datum_set_bytes,
                bytes_of=lambda decision: sizes[decision.label],
            )
        ]
        for salt, group in sets:
            job = Job(
                repository=self.dataset.name,
                branch=branch,
                commit=planned.tip.commit,
                salt=salt,
                pipeline=plan.pipeline.name,
                datums=tuple((decision.label, decision.key) for decision in group),
                scope=self._scope,
                pins=pins,
            )
            self.queue.enqueue(job)
            ids.append(job.id)
        return ids

    def _flying(self, planned: PlannedCommit, keys: Sequence[str]) -> dict[str, str]:
        """Keys that somebody is at, here or in a repository whose results count here, with the job."""
        flying = dict(self.queue.in_flight(self._ledger, keys))
        for name in self.dataset.trusted_repositories:
            rest = [key for key in keys if key not in flying and key not in planned.forced]
            if rest:
                flying.update(self.queue.in_flight(queue_namespace(name, ""), rest))
        return flying


def command_of(work: PipelineInputs) -> Callable[[Sequence[FinishedDatum]], str] | None:
    """What makes the text that repeats datums, where the command can be repeated by itself."""
    alone = work.pipeline.view == "dataset" and not work.pipeline.transform.image
    return functools.partial(_record_text, work) if alone else None


def _record_text(work: PipelineInputs, group: Sequence[FinishedDatum]) -> str:
    """``view: dataset``: plain shell that repeats these datums in a clone."""
    texts = []
    for item in group:
        datum = work.datum(item.label)
        paths = Paths(inputs=item.inputs, outputs=declared_outputs(work.pipeline, datum))
        texts.append(record_text(work.pipeline, paths, work.view(datum).places))
    return texts[0] if len(texts) == 1 else " && ".join(f"( {text} )" for text in texts)


def _stored(planned: PlannedCommit, plan: PipelinePlan) -> set[str]:
    """Annex keys that jobs of this plan have stored."""
    results = (planned.unsettled.get(decision.key) for decision in plan.moving)
    return {
        output.name
        for found in results
        if found is not None
        for output in found[1].outputs
        if output.kind == "annex"
    }
