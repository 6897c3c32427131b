"""Publication of one pipeline whose results are all known: a results commit on its branch.

The outcome is a value; the caller decides what follows from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from tea_runner.core.datums.datum import shown_label
from tea_runner.core.errors import ContentMissing, OutputRefused, UserError
from tea_runner.core.git.branch_results_scope import results_prefix
from tea_runner.core.planning.plan import Decision, PipelinePlan
from tea_runner.core.planning.recompute_verdict import RecomputeVerdict
from tea_runner.core.results.result import Result
from tea_runner.flow.compare_recomputed import judge_recomputed
from tea_runner.flow.make_plan import PlannedCommit
from tea_runner.flow.pipeline_datums import PipelineInputs
from tea_runner.flow.read_manifest import read_manifest
from tea_runner.flow.recorded_command import command_of
from tea_runner.flow.unchanged_outputs import changes_nothing
from tea_runner.flow.write_results_commit import finish, published, settle
from tea_runner.ports import Dataset

#: Datums whose results are read together.
_READ_TOGETHER = 500


@dataclass(frozen=True, kw_only=True)
class Published:
    """The branch has the pipeline's results."""

    #: The results commit; the former tip when nothing had to change.
    commit: str
    changed: bool
    #: Of datums that were computed again.
    verdicts: tuple[RecomputeVerdict, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PublishRefused:
    """The results may not be committed as they are; only a change of the dataset helps."""

    message: str


@dataclass(frozen=True, kw_only=True)
class ResultsUnreadable:
    """Some known results are not complete any more; their datums have to be computed again."""

    keys: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class BranchMoved:
    """The branch or the ``git-annex`` branch has moved since it was fetched; nothing was published."""


@dataclass(frozen=True, kw_only=True)
class NothingNew:
    """New ticks have made what is there already: there is nothing to commit."""

    #: Of the jobs with these results.
    refs: tuple[str, ...]


PublishOutcome = Published | PublishRefused | ResultsUnreadable | BranchMoved | NothingNew


def publish_pipeline(
    dataset: Dataset,
    branch: str,
    planned: PlannedCommit,
    plan: PipelinePlan,
    *,
    who: str,
    scope: str,
    former: str | None = None,
) -> PublishOutcome:
    """Compose and push the results commit of a pipeline whose plan is "ready".

    :param who: author and committer, ``Name <address>``.
    :param scope: of the branch.
    :param former: a commit with results beside the branch that this one replaces.
    :raises OutsideError: when the forge or a storage does not answer.
    """
    inputs = planned.works[plan.pipeline.name]
    finished = finish(inputs, _results(dataset, planned, inputs, plan, scope))
    if isinstance(finished, Decision):
        if finished.key not in planned.unsettled:
            return ResultsUnreadable(keys=(finished.key,))
        return PublishRefused(
            message=f"the result of datum {shown_label(finished.label)} cannot be saved as "
            f".gitattributes asks for it here; give both pipelines the same rules"
        )
    if changes_nothing(planned.tip, inputs, plan, finished):
        moving = {decision.key for decision in plan.moving}
        by_ref = _keys_by_ref(planned, scope)
        return NothingNew(refs=tuple(ref for ref, keys in by_ref.items() if keys <= moving))
    finished, verdicts = judge_recomputed(planned.tip, plan, finished)
    try:
        done = settle(
            dataset,
            branch,
            planned.tip,
            inputs,
            finished,
            plan.gone(read_manifest(planned.tip.tree, plan.pipeline.home)),
            who=who,
            storage_uuid=dataset.storage_uuid,
            stored=_stored_keys(planned, plan),
            command=command_of(planned.tip, inputs),
            former=former,
        )
    except ContentMissing as error:
        missing = set(error.keys)
        keys = [f.key for f in finished if missing & {o.name for o in f.result.outputs}]
        if not keys:
            raise
        return ResultsUnreadable(keys=tuple(keys))
    except (OutputRefused, UserError) as error:
        return PublishRefused(message=error.message)
    if done is None:
        return BranchMoved()
    composition, commit = done
    return Published(commit=commit, changed=not composition.empty, verdicts=tuple(verdicts))


def _results(
    dataset: Dataset,
    planned: PlannedCommit,
    inputs: PipelineInputs,
    plan: PipelinePlan,
    scope: str,
) -> Iterator[tuple[Decision, Result | None]]:
    """Each datum that changes with its result, by the attributes of the directory where its outputs go."""
    moving = published(plan)
    for start in range(0, len(moving), _READ_TOGETHER):
        decisions = moving[start : start + _READ_TOGETHER]
        known = dataset.known_results(
            [each.key for each in decisions if each.key not in planned.unsettled],
            scope,
            planned.acceptance(inputs),
        )
        for decision in decisions:
            unsettled = planned.unsettled.get(decision.key)
            result = unsettled[1] if unsettled else known.get(decision.key)
            if result is not None:
                directory = "/".join(filter(None, (inputs.pipeline.home, decision.place)))
                root = planned.tip.tree.root
                result = dataset.converted_result(result, root, directory)
            yield decision, result


def _stored_keys(planned: PlannedCommit, plan: PipelinePlan) -> set[str]:
    """Annex keys that jobs of this plan have stored and verified."""
    results = (planned.unsettled.get(decision.key) for decision in plan.moving)
    return {
        output.name
        for found in results
        if found is not None
        for output in found[1].outputs
        if output.kind == "annex" and output.name not in found[1].linked
    }


def settled_job_refs(planned: PlannedCommit, plan: PipelinePlan, scope: str) -> list[str]:
    """Refs of jobs of this scope whose results are all in the manifest of a settled pipeline."""
    by_ref = _keys_by_ref(planned, scope)
    if not by_ref:
        return []
    settled = {decision.key for decision in plan.moving}
    if not settled.issuperset(chain.from_iterable(by_ref.values())):
        settled = {decision.key for decision in plan.decisions}
    return [ref for ref, keys in by_ref.items() if keys <= settled]


def _keys_by_ref(planned: PlannedCommit, scope: str) -> dict[str, set[str]]:
    """Refs of jobs of this scope, with the keys of their results."""
    by_ref: dict[str, set[str]] = {}
    for key, (ref, _) in planned.unsettled.items():
        # A ref of the trusted scope may be needed by a trusted branch, so others leave it.
        if ref.startswith(results_prefix(scope)):
            by_ref.setdefault(ref, set()).add(key)
    return by_ref
