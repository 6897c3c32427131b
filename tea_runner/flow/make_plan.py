"""A branch's tip and what is known in, its plan out; nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from tea_runner.core.errors import OutsideError, TeaError, UserError
from tea_runner.core.git.scope import results_prefix
from tea_runner.core.git.tree import TREE, differences, lookup
from tea_runner.core.pipeline import Pipeline
from tea_runner.core.planning.plan import (
    Decision,
    KeyedDatum,
    KnownResult,
    PipelinePlan,
    Plan,
    decide,
    decide_incremental,
)
from tea_runner.core.results.manifest import Manifest, Row
from tea_runner.core.results.result import Result
from tea_runner.flow.commit_view import CommitView
from tea_runner.flow.pipeline_inputs import PipelineInputs, derive_inputs
from tea_runner.flow.read_manifest import read_manifest
from tea_runner.ports import Dataset

#: Keys that failed for good, with the sentence that says how.
Failures = Callable[[Sequence[str]], Mapping[str, str]]
#: More changes of a home than these are not followed one by one.
_FEW = 10_000


@dataclass
class PlannedCommit:
    """A plan, and what is needed to carry it out."""

    plan: Plan
    tip: CommitView
    works: dict[str, PipelineInputs] = field(default_factory=dict)
    #: Results of jobs that no results commit holds yet.
    unsettled: Mapping[str, tuple[str, Result]] = field(default_factory=dict)
    #: Keys to compute although they are known, with the wish that says so.
    forced: dict[str, str] = field(default_factory=dict)
    #: Such keys that failed, with the wish and the sentence.
    tried: dict[str, tuple[str, str]] = field(default_factory=dict)


def make_plan(
    dataset: Dataset,
    tip: CommitView,
    *,
    failures: Failures,
    missing: Failures = lambda _: {},
    only: Sequence[str] = (),
    forced: Mapping[str, str] | None = None,
    hopeless: Collection[str] = (),
    judged: Collection[str] = (),
    scope: str = "",
) -> PlannedCommit:
    """What the commit means, pipeline by pipeline, in the order of the graph.

    A pipeline that reads another's results is planned once those are settled in this very commit.

    :param missing: which keys have inputs without content, with the sentence that says so.
    :param only: names of the pipelines to plan; all when empty.
    :param forced: what to compute although it is known: a key or a pipeline's name, to the wish's own.
    :param hopeless: keys that a manifest knows, but whose files cannot be read any more.
    :param judged: keys whose wished result was dealt with already.
    :param scope: of the branch; only results that it may use are known to the plan.
    """
    problems = [str(problem) for problem in tip.pipelines.problems if problem.is_error]
    try:
        pipelines = tip.pipelines.ordered
    except TeaError as error:
        return PlannedCommit(
            Plan(commit=tip.tree.commit, pipelines=(), problems=(*problems, error.message)), tip
        )
    planned = PlannedCommit(
        Plan(commit=tip.tree.commit, pipelines=()),
        tip,
        unsettled={
            key: found
            for key, found in dataset.unsettled_results(scope).items()
            if not (found[1].salt and key in judged)
        },
    )
    plans: dict[str, PipelinePlan] = {}
    for pipeline in pipelines:
        if only and pipeline.name not in only:
            continue
        waiting = _held_up(tip, pipeline, plans)
        plans[pipeline.name] = waiting or _plan_one(
            dataset,
            tip,
            pipeline,
            planned,
            failures=failures,
            missing=missing,
            forced=forced or {},
            hopeless=hopeless,
            judged=judged,
            scope=scope,
        )
    planned.plan = Plan(
        commit=tip.tree.commit, pipelines=tuple(plans.values()), problems=tuple(problems)
    )
    return planned


def _held_up(
    tip: CommitView, pipeline: Pipeline, plans: Mapping[str, PipelinePlan]
) -> PipelinePlan | None:
    """The plan of a pipeline that must wait for another, or None when it need not."""
    for other in tip.pipelines.upstream(pipeline):
        above = plans.get(other.name)
        if above is None or above.state == "settled":
            continue
        if above.state == "failed" and above.pipeline.on_failure == "publish":
            # What succeeded is published: that is what this pipeline reads.
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
    dataset: Dataset,
    tip: CommitView,
    pipeline: Pipeline,
    planned: PlannedCommit,
    *,
    failures: Failures,
    missing: Failures,
    forced: Mapping[str, str],
    hopeless: Collection[str],
    judged: Collection[str],
    scope: str,
) -> PipelinePlan:
    before = read_manifest(tip.tree, pipeline.home)
    try:
        work = derive_inputs(tip, pipeline, before)
    except UserError as error:
        return PipelinePlan(
            pipeline=pipeline, state="blocked", reason="missing-input", detail=error.message
        )
    except TeaError as error:
        if error.failure_class == "infra_error":
            raise
        return PipelinePlan(
            pipeline=pipeline, state="blocked", reason="spec-error", detail=error.message
        )
    planned.works[pipeline.name] = work
    lost = lost_datums(tip, pipeline, before)
    due, fresh = _wished(
        work, planned, {k: v for k, v in forced.items() if k not in judged}, failures, scope
    )
    planned.forced.update(due)
    wished = due or fresh
    if work.trigger and before.parts.get("trigger") == work.trigger and not lost and not wished:
        # Only inputs with propagation_spec.never have changed: what stands there stays.
        rows = [Decision(r.datum, r.key, r.place, "current", "current") for r in before.rows]
        return PipelinePlan(
            pipeline=pipeline, state="settled", decisions=tuple(rows), parts=work.parts
        )

    def decided(keyed: Sequence[KeyedDatum]) -> PipelinePlan:
        open_keys = _open_keys(keyed, before, lost)
        commits = dataset.known_commits(open_keys, scope) if open_keys else {}
        known = {key: KnownResult("manifest", commit) for key, commit in commits.items()}
        for key in hopeless:
            known.pop(key, None)
        for key in open_keys:
            if key in planned.unsettled:
                known[key] = KnownResult("job", planned.unsettled[key][0])
        unknown = [key for key in open_keys if key not in known]
        if unknown:
            found = dataset.known_in_other_repositories(unknown)
            known.update(
                (key, KnownResult("other repository", location))
                for key, location in found.items()
                if key not in hopeless
            )
            unknown = [key for key in unknown if key not in known]
        return decide(
            pipeline,
            keyed,
            work.shared,
            before,
            known=known,
            lost=lost,
            failures=failures(unknown) if unknown else {},
            missing=missing(unknown) if unknown else {},
            forced=due,
            fresh=fresh,
        )

    plan = None if lost or wished else _followed(tip, work, before, decided)
    if plan is None:
        plan = decided(work.keyed)
    if plan.state == "settled" and not lost:
        tip.tree.cache.settled[pipeline.name] = (work.stamp, before, plan)
    return plan


def _followed(
    tip: CommitView,
    work: PipelineInputs,
    before: Manifest,
    decided: Callable[[Sequence[KeyedDatum]], PipelinePlan],
) -> PipelinePlan | None:
    """The plan that was settled last, led on; None when it has too little to do with this one."""
    stamp, manifest, plan = tip.tree.cache.settled.get(work.pipeline.name, (None, None, None))
    if plan is None or manifest is None or plan.pipeline != work.pipeline:
        return None
    if work.stamp is stamp:
        return plan if manifest is before else None
    since = work.since
    if since is None or since.stamp is not stamp:
        return None
    if manifest is not before:
        # What was settled meanwhile may be what those edits brought, and nothing else.
        rows = before.differing(manifest)
        if rows is None or not rows <= {edit.datum.label for edit in since.edits}:
            return None
    return decide_incremental(plan, since.edits, decided(list(since.fresh.values())), before)


def _wished(
    work: PipelineInputs,
    planned: PlannedCommit,
    forced: Mapping[str, str],
    failures: Failures,
    scope: str,
) -> tuple[dict[str, str], dict[str, str]]:
    """Keys that somebody wants computed although they are known; and such that were, with where."""
    fresh: dict[str, str] = {}
    due: dict[str, str] = {}
    if not forced and not any(result.salt for _, result in planned.unsettled.values()):
        return due, fresh
    for key in dict.fromkeys(item.key for item in work.keyed):
        ref, result = planned.unsettled.get(key, ("", None))
        wish = forced.get(key) or forced.get(work.pipeline.name, "")
        if wish and (result is None or result.salt != wish):
            due[key] = wish
        elif result is not None and result.salt and ref.startswith(results_prefix(scope)):
            fresh[key] = ref
    # It was tried and failed: what is known stays.
    failed = failures(list(due)) if due else {}
    planned.tried.update((key, (due[key], sentence)) for key, sentence in failed.items())
    return {key: wish for key, wish in due.items() if key not in failed}, fresh


def _open_keys(keyed: Sequence[KeyedDatum], before: Manifest, lost: Sequence[str]) -> list[str]:
    """Keys that the manifest at the tip does not answer."""
    # A datum that only moves to another place is known too, but has to be looked up to be moved.
    find, gone = before.finder(len(keyed)), set(lost)
    open_keys = []
    for label, key, place in keyed:
        row = find(label)
        if row is None or row.key != key or row.place != place or label in gone:
            open_keys.append(key)
    return open_keys


def lost_datums(tip: CommitView, pipeline: Pipeline, before: Manifest) -> tuple[str, ...]:
    """Datums some of whose outputs, in spite of the manifest, are not in the tree."""
    memory = tip.tree.cache
    home = tip.tree.entry(pipeline.home)
    tree = home.oid if home is not None and home.mode == TREE else ""
    manifest, known = memory.lost.get(tree) or (None, ())
    if manifest is not before:
        since = _lost_since(tip, before, tree, *memory.whole.get(pipeline.name, ("", before)))
        # All rows come in no order: sorting them would take longer than looking.
        rows = (row for piece in before.pieces for row in piece.rows)
        known = tuple(sorted(_not_there(tip, tree, rows))) if since is None else since
        memory.lost.put(tree, (before, known))
    if not known:
        memory.whole[pipeline.name] = (tree, before)
    return known


def _not_there(tip: CommitView, tree: str, rows: Iterable[Row]) -> tuple[str, ...]:
    read = tip.tree.objects.tree
    return tuple(
        row.datum
        for row in rows
        if any(not tree or lookup(read, tree, path) is None for path in row.paths)
    )


def _lost_since(
    tip: CommitView, before: Manifest, tree: str, old_tree: str, old: Manifest
) -> tuple[str, ...] | None:
    """The same, by what differs from a tree in which everything was there; None if it is too much."""
    labels = before.differing(old) if tree and old_tree else None
    if labels is None:
        return None
    try:
        steps = list(islice(differences(tip.tree.objects.tree, old_tree, tree), _FEW + 1))
    except OutsideError:  # the former tree was pushed away, and its objects are gone
        return None
    old_rows = [old.row(label) for label in labels]
    rows = [before.row(label) for label in sorted(labels)]
    theirs = {path for row in (*old_rows, *rows) if row is not None for path in row.paths}
    if len(steps) > _FEW or any(now is None and path not in theirs for path, _, now in steps):
        return None
    return _not_there(tip, tree, [row for row in rows if row is not None])
