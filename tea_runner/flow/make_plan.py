"""The plan of a commit: for each pipeline, what becomes of each datum.  Nothing is written here."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tea_runner.core.errors import SpecError, TeaError, UserError
from tea_runner.core.pipeline import Pipeline, pfs_leaves
from tea_runner.core.planning.plan import (
    Decision,
    PipelinePlan,
    Plan,
    known_reason,
    recovered_counts,
)
from tea_runner.core.results.manifest import Manifest
from tea_runner.core.results.result import Result
from tea_runner.core.results.run_conditions import RunScope
from tea_runner.core.results.signed_manifest_row import Accepts, accept_all
from tea_runner.flow.ambiguous_input import refuse_ambiguous_inputs
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.edited_or_missing_outputs import (
    NO_CHANGED_OUTPUTS,
    ChangedOutputs,
    changed_outputs,
)
from tea_runner.flow.input_triggers import (
    PipelineTriggers,
    holds,
    look_at_triggers,
)
from tea_runner.flow.key_lookup import Failures, KeyLookup, Recompute, Sentences
from tea_runner.flow.pipeline_datums import PipelineInputs, derive_inputs
from tea_runner.flow.read_manifest import read_manifest
from tea_runner.flow.resolve_image import UnavailableImage
from tea_runner.flow.reuse_rule import acceptance_of
from tea_runner.flow.signed_manifest_rows import manifest_signer, unproven_datums
from tea_runner.ports import Dataset


@dataclass
class PlannedCommit:
    """A plan, and what is needed to carry it out."""

    plan: Plan
    tip: CommitReader
    #: By the pipelines' names; without those that cannot be derived, or have to wait.
    works: dict[str, PipelineInputs] = field(default_factory=dict)
    #: Key to the job's ref and the result, of results that no results commit has yet.
    unsettled: Mapping[str, tuple[str, Result]] = field(default_factory=dict)
    #: Decides which signed results count for a pipeline.
    acceptance: Callable[[PipelineInputs], Accepts] = lambda _: accept_all
    #: Names of pipelines to the trusted signer of their manifest; without those that have none.
    signers: dict[str, str] = field(default_factory=dict)
    #: Keys to compute although they are known, to the id of the recompute request.
    forced: dict[str, str] = field(default_factory=dict)
    #: Names of pipelines with a trigger to what was found of it.
    triggers: dict[str, PipelineTriggers] = field(default_factory=dict)
    #: Such keys that failed: the id of the request, the sentence.
    tried: dict[str, tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ExaminedPipeline:
    """What the tree of a commit says about one pipeline."""

    #: The manifest in the pipeline's home.
    before: Manifest
    inputs: PipelineInputs
    #: Datums of the manifest with missing or edited outputs.
    different: ChangedOutputs
    #: Datums of the manifest whose rows are no known results.
    unproven: frozenset[str] = frozenset()

    @property
    def all_current(self) -> bool:
        """Whether each row of the manifest is a known result whose outputs are in the tree."""
        return self.different == NO_CHANGED_OUTPUTS and not self.unproven


class PipelinePlanner:
    """The steps of planning one pipeline, each from nothing.

    :class:`~tea_runner.flow.incremental_planner.IncrementalPlanner` does the same steps from those of
    the commit before.
    """

    def examine(self, tip: CommitReader, pipeline: Pipeline) -> ExaminedPipeline:
        """Read a pipeline's manifest, inputs and outputs.

        :raises UserError: when an input names nothing, or has content without a hash.
        """
        before = read_manifest(tip.tree, pipeline.home)
        return ExaminedPipeline(
            before=before,
            inputs=self.derive_inputs(tip, pipeline, before),
            different=self.changed_outputs(tip, pipeline, before),
        )

    def derive_inputs(
        self, tip: CommitReader, pipeline: Pipeline, before: Manifest
    ) -> PipelineInputs:
        """See :func:`~tea_runner.flow.pipeline_datums.derive_inputs`."""
        return derive_inputs(tip, pipeline, before)

    def changed_outputs(
        self, tip: CommitReader, pipeline: Pipeline, before: Manifest
    ) -> ChangedOutputs:
        """See :func:`~tea_runner.flow.edited_or_missing_outputs.changed_outputs`."""
        return changed_outputs(tip, pipeline, before)

    def decide(
        self,
        lookup: KeyLookup,
        examined: ExaminedPipeline,
        recompute: Recompute,
    ) -> PipelinePlan:
        """See :meth:`~tea_runner.flow.key_lookup.KeyLookup.decide`."""
        inputs = examined.inputs
        return lookup.decide(
            inputs,
            inputs.keyed,
            examined.before,
            examined.different,
            recompute,
            examined.unproven,
        )


def make_plan(
    dataset: Dataset,
    tip: CommitReader,
    *,
    failures: Failures,
    missing: Sentences = lambda _: {},
    only: Sequence[str] = (),
    forced: Mapping[str, str] | None = None,
    unreadable: Collection[str] = (),
    compared: Collection[str] = (),
    scope: str = "",
    reader: RunScope = "trusted",
    reuse_branches: bool = True,
    planner: PipelinePlanner | None = None,
) -> PlannedCommit:
    """Plan a commit, pipeline by pipeline, in the order of what they read.

    A pipeline that reads another's results is planned once those are settled in this very commit.

    :param failures: finds the keys that failed for good.
    :param missing: finds the keys with inputs that have no content anywhere yet, with the sentence.
    :param only: names of the pipelines to plan; all when empty.
    :param forced: keys or names of pipelines to compute although they are known, to the id of the
        recompute request.
    :param unreadable: keys that a manifest has, but whose files cannot be read any more.
    :param compared: keys whose recomputed result was compared and published.
    :param scope: of the branch; only results that it may use are known to the plan.
    :param reader: kind of the branch.
    :param reuse_branches: whether results of untrusted branches may count elsewhere.
    :param planner: does the steps; without it each is done from nothing.
    :raises OutsideError: when git or the queue does not answer.
    """
    problems = tuple(str(problem) for problem in tip.pipelines.problems if problem.is_error)
    try:
        pipelines = tip.pipelines.ordered
    except TeaError as error:
        plan = Plan(commit=tip.tree.commit, pipelines=(), problems=(*problems, error.message))
        return PlannedCommit(plan, tip)
    lookup = KeyLookup(
        dataset=dataset,
        tip=tip,
        scope=scope,
        acceptance=functools.partial(
            acceptance_of, tip=tip, reader=reader, reuse_branches=reuse_branches
        ),
        unsettled={
            key: found
            for key, found in dataset.unsettled_results(scope).items()
            if not (found[1].salt and key in compared)
        },
        failures=failures,
        missing=missing,
        forced={key: request for key, request in (forced or {}).items() if key not in compared},
        unreadable=unreadable,
    )
    empty = Plan(commit=tip.tree.commit, pipelines=())
    planned = PlannedCommit(empty, tip, unsettled=lookup.unsettled, acceptance=lookup.acceptance)
    plans: dict[str, PipelinePlan] = {}
    for pipeline in pipelines:
        if only and pipeline.name not in only:
            continue
        waiting = _refuse_ambiguous(tip, pipeline) or _wait_for_upstream(tip, pipeline, plans)
        plans[pipeline.name] = waiting or _plan_one(
            planned, pipeline, lookup, planner or PipelinePlanner()
        )
    planned.plan = Plan(commit=tip.tree.commit, pipelines=tuple(plans.values()), problems=problems)
    return planned


def _refuse_ambiguous(tip: CommitReader, pipeline: Pipeline) -> PipelinePlan | None:
    """The plan of a pipeline with an input that means two things; None for others."""
    try:
        refuse_ambiguous_inputs(tip, pipeline)
    except SpecError as error:
        return PipelinePlan(
            pipeline=pipeline, state="blocked", reason="missing-input", detail=error.message
        )
    return None


def _wait_for_upstream(
    tip: CommitReader, pipeline: Pipeline, plans: Mapping[str, PipelinePlan]
) -> PipelinePlan | None:
    """The plan of a pipeline that has to wait for another; None when it does not."""
    for other in tip.pipelines.upstream(pipeline):
        above = plans.get(other.name)
        if above is not None and above.reason == "trigger" and not above.decisions:
            # There is nothing to read yet.
            detail = f"reads {other.name}, which {above.detail}"
            return PipelinePlan(pipeline=pipeline, state="settled", reason="trigger", detail=detail)
        if above is None or above.state == "settled":
            continue
        if above.state == "failed" and above.pipeline.on_failure == "publish":
            # The datums that succeeded are published, and this pipeline reads those.
            continue
        if above.state in ("failed", "blocked"):
            return PipelinePlan(
                pipeline=pipeline, state="blocked", reason="blocked-by-failure", detail=other.name
            )
        return PipelinePlan(
            pipeline=pipeline, state="waiting", reason="upstream", detail=other.name
        )
    return None


def _plan_one(
    planned: PlannedCommit, pipeline: Pipeline, lookup: KeyLookup, planner: PipelinePlanner
) -> PipelinePlan:
    """The plan of a pipeline whose inputs are all settled."""
    tip = planned.tip
    try:
        examined = planner.examine(tip, pipeline)
    except UserError as error:
        return PipelinePlan(
            pipeline=pipeline, state="blocked", reason="missing-input", detail=error.message
        )
    except UnavailableImage as error:
        return PipelinePlan(
            pipeline=pipeline, state="blocked", reason="image-unavailable", detail=error.message
        )
    except TeaError as error:
        if error.failure_class == "infra_error":
            raise
        return PipelinePlan(
            pipeline=pipeline, state="blocked", reason="spec-error", detail=error.message
        )
    inputs, before = examined.inputs, examined.before
    planned.works[pipeline.name] = inputs
    unproven = unproven_datums(
        lookup.dataset,
        tip.tree,
        pipeline.home,
        before,
        lookup.scope,
        lookup.acceptance(inputs),
    )
    signer = manifest_signer(lookup.dataset, tip.tree, pipeline.home) if before.count else ""
    if signer:
        planned.signers[pipeline.name] = signer
    if unproven:
        examined = replace(examined, unproven=unproven)
    recompute = lookup.recompute(inputs)
    planned.forced.update(recompute.due)
    planned.tried.update(recompute.failed)
    never = any(leaf.propagation_never for leaf in pfs_leaves(pipeline.input))
    quiet = examined.all_current and not recompute
    triggers = look_at_triggers(tip, inputs, before)
    if triggers is None:
        if quiet and never and inputs.trigger and before.parts.get("trigger") == inputs.trigger:
            # Only inputs with propagation_spec.never have changed: the results stay.
            return _as_it_is(inputs, before)
        return planner.decide(lookup, examined, recompute)
    planned.triggers[pipeline.name] = triggers
    plan = planner.decide(lookup, examined, recompute)
    if quiet and plan.state in ("running", "ready") and holds(triggers, inputs, before):
        return _as_it_is(inputs, before, triggers.sentence)
    return plan


def _as_it_is(inputs: PipelineInputs, before: Manifest, held: str = "") -> PipelinePlan:
    """The plan in which the results stay, although the inputs have changed.

    :param held: what its trigger waits for.
    """
    rows = [Decision(r.datum, r.key, r.place, "current", known_reason(r)) for r in before.rows]
    return PipelinePlan(
        pipeline=inputs.pipeline,
        state="settled",
        decisions=tuple(rows),
        reason="trigger" if held else None,
        detail=held,
        parts=inputs.parts,
        recovered=recovered_counts(rows),
    )
