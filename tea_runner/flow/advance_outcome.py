"""What one call of :mod:`tea_runner.flow.plan_and_publish` found and did."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tea_runner.core.planning.paused_or_unapproved_work import Hold
from tea_runner.core.planning.plan import Decision, PipelinePlan
from tea_runner.core.planning.reasons import Reason
from tea_runner.core.planning.recompute_verdict import RecomputeVerdict
from tea_runner.core.planning.start_causes import PipelineStart
from tea_runner.core.planning.states import ENDED_STATES, PlanState
from tea_runner.flow.make_plan import PlannedCommit


@dataclass(frozen=True, kw_only=True)
class PipelineProgress:
    """The state of one pipeline, and numbers of datums that add up to all of them."""

    pipeline: str
    state: PlanState
    counts: Counter[str] = field(default_factory=Counter)
    #: The pipeline that it waits for, or a sentence.
    detail: str = ""
    #: The results commit, if this call published it.
    commit: str = ""
    #: Ids of the jobs that it waits for.
    jobs: list[str] = field(default_factory=list)
    #: Why its jobs do not begin; None when they may.
    hold: Hold | None = None
    plan: PipelinePlan | None = None

    @classmethod
    def planned(cls, plan: PipelinePlan) -> PipelineProgress:
        """Of a pipeline whose plan is carried out later, or needs nothing."""
        why = next((d.detail for d in plan.moving if d.action in ("failed", "wait")), "")
        return cls(
            pipeline=plan.pipeline.name,
            state=plan.state,
            counts=plan.state_counts,
            detail=plan.detail or why,
            plan=plan,
        )

    @classmethod
    def refused(cls, plan: PipelinePlan, message: str) -> PipelineProgress:
        """Of a pipeline whose results may not be committed."""
        return cls(
            pipeline=plan.pipeline.name,
            state="failed",
            counts=Counter(failed=len(plan.decisions)),
            detail=message,
        )

    @classmethod
    def published(cls, plan: PipelinePlan, commit: str, detail: str) -> PipelineProgress:
        """Of a pipeline whose results were committed: how many were computed for it, and reused."""
        counts = Counter(
            done=len({d.key for d in plan.moving if d.source == "job" and d.reason != "recovered"}),
            recovered=plan.state_counts["recovered"],
            failed=plan.counts["failed"],
        )
        counts["reused"] = len(plan.decisions) - counts.total()
        return cls(
            pipeline=plan.pipeline.name,
            state="settled",
            counts=+counts,
            detail=detail,
            commit=commit,
            plan=plan,
        )

    @property
    def reason(self) -> Reason | None:
        """Why the pipeline as a whole waits or is blocked."""
        if self.hold is not None:
            return self.hold.reason
        return self.plan.reason if self.plan is not None else None

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """All decisions, in the order of the datums."""
        return self.plan.decisions if self.plan is not None else ()

    @property
    def moving(self) -> tuple[Decision, ...]:
        """Decisions of datums that do not just stay as they are."""
        return self.plan.moving if self.plan is not None else ()


@dataclass(frozen=True, kw_only=True)
class BranchProgress:
    """The last plan of a call, and what the call did."""

    planned: PlannedCommit
    #: The branch's own tip; *planned* may be of results beside it.
    pushed: str
    #: The branch with its results beside it; empty when there is none.
    results_branch: str
    pipelines: dict[str, PipelineProgress]
    #: Results commits that were published, the oldest first.
    results: list[str]
    #: Of known results that were computed again.
    verdicts: list[RecomputeVerdict]
    #: Tips of ``git-annex`` at which input content was missing that the branch waits for.
    missing_at: set[str]
    #: The pipelines as they were before ticks of the clock were taken; None where none were.
    before_ticks: dict[str, PipelineProgress] | None = None
    #: Ticks, starts by hand and triggers of inputs that were recorded.
    starts: list[PipelineStart] = field(default_factory=list)
    #: Who approved the pushed commit; empty for nobody.
    approved_by: str = ""

    @property
    def commit(self) -> str:
        """The tip of the branch with the results."""
        return self.planned.tip.tree.commit

    @property
    def origin(self) -> str:
        """The commit that was pushed, below its results commits."""
        return self.planned.tip.tree.origin

    @property
    def problems(self) -> tuple[str, ...]:
        """Problems of pipeline files that keep pipelines from being planned."""
        return self.planned.plan.problems

    @property
    def ended(self) -> bool:
        """Whether nothing is under way any more."""
        return all(p.state in ENDED_STATES for p in self.pipelines.values())
