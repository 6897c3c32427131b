"""Planning from the plan before: what a commit does not change is not computed again.

:class:`IncrementalPlanner` gives exactly the plans of :func:`~tea_runner.flow.make_plan.make_plan`
without it; a property test compares the two.  It keeps, for each pipeline, what was derived of it last,
and takes the first of these ways that applies:

- Nothing that the inputs depend on has changed (:mod:`~tea_runner.flow.input_read_set`): the
  inputs are kept.
- Some files of the only input have changed: the datums of those files are edited
  (:mod:`~tea_runner.core.datums.incremental_datums`), and only they are decided.
- Everything else is derived and decided from nothing.

Nothing here is keyed by time: a result is reused only where object ids prove that it is the same, so it
can be shared by all branches of a repository.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from itertools import islice

from tea_runner.core.datums.datum import Datum
from tea_runner.core.datums.incremental_datums import (
    DatumEdit,
    apply_edits,
    can_edit_datums,
    datum_order,
    edit_datums,
)
from tea_runner.core.errors import OutsideError
from tea_runner.core.generational_cache import GenerationalCache
from tea_runner.core.git.tree import TreeEntry, differences
from tea_runner.core.pipeline import Pipeline
from tea_runner.core.planning.plan import KeyedDatum, PipelinePlan, plan_state
from tea_runner.core.results.manifest import Manifest
from tea_runner.flow.commit_view import CommitView
from tea_runner.flow.input_changes import MAX_EDITS, file_changes
from tea_runner.flow.input_location import InputLocation, make_source
from tea_runner.flow.input_read_set import input_dependencies
from tea_runner.flow.key_states import KeyLookup, Recompute
from tea_runner.flow.make_plan import (
    ExaminedPipeline,
    PipelinePlanner,
    datums_without_outputs,
    home_tree,
)
from tea_runner.flow.pipeline_inputs import (
    PipelineInputs,
    SharedInputs,
    key_datums,
    list_datums,
    locate_inputs,
    shared_inputs,
)
from tea_runner.flow.pipeline_set import PipelineSet
from tea_runner.flow.planning_cache import PlanningCache

_NO_MANIFEST = Manifest()
#: Changed files of a home up to which missing outputs are found by them.
_MAX_HOME_CHANGES = 10_000
#: Rows of manifests whose missing outputs are cached between two plans.
_MAX_ROWS = 20_000


@dataclass(frozen=True, kw_only=True)
class _Settled:
    """A plan in which every datum was current, and what it was made from."""

    keyed: tuple[KeyedDatum, ...]
    before: Manifest
    plan: PipelinePlan


@dataclass(kw_only=True)
class _Memory:
    """What is kept of one pipeline."""

    inputs: PipelineInputs
    #: The pipelines of the commit that the inputs were derived at.
    pipelines: PipelineSet
    #: Paths that the inputs and the examination depend on, with what was there.
    dependencies: dict[str, TreeEntry | None]
    #: The commit's root tree and pins, at which nothing of that had changed.
    root: str = ""
    pins: Mapping[str, str] = field(default_factory=dict)
    examined: ExaminedPipeline | None = None
    settled: _Settled | None = None
    #: Edits that lead from the datums of *settled* to those of *inputs*.
    edits: tuple[DatumEdit, ...] = ()
    #: The datums that these edits set or inserted and that still exist.
    edited: dict[str, tuple[Datum, KeyedDatum]] = field(default_factory=dict)


class IncrementalPlanner(PipelinePlanner):
    """Plans commits of one repository, each from what it keeps of those before."""

    def __init__(self, cache: PlanningCache | None = None) -> None:
        #: For the commits that are planned here.
        self.cache = cache or PlanningCache()
        self._memory: dict[str, _Memory] = {}
        #: A pipeline's name to the tree of its home and the manifest when no output was missing.
        self._complete: dict[str, tuple[str, Manifest]] = {}
        #: Tree of a home to the manifest in it and the datums with missing outputs.
        self._missing_outputs: GenerationalCache[str, tuple[Manifest, tuple[str, ...]]]
        self._missing_outputs = GenerationalCache(lambda found: found[0].count + 1)
        #: Two root trees, and the names in them that differ.
        self._changes: tuple[tuple[str, str], Set[str]] = (("", ""), frozenset())

    def evict_unused(self) -> None:
        """Evict what the last plan did not use, so that memory does not grow with the history."""
        self.cache.evict_unused()
        self._missing_outputs.evict(_MAX_ROWS)

    def clear(self) -> None:
        """Release everything at once: there are reference cycles, which the garbage collector finds late."""
        self.cache.clear()
        self._memory.clear()
        self._complete.clear()
        self._missing_outputs.clear()

    def examine(self, tip: CommitView, pipeline: Pipeline) -> ExaminedPipeline:
        """See :meth:`~tea_runner.flow.make_plan.PipelinePlanner.examine`."""
        memory = self._untouched(tip, pipeline)
        if memory is not None and memory.examined is not None:
            return replace(memory.examined, inputs=_at_commit(memory.inputs, tip))
        examined = super().examine(tip, pipeline)
        self._memory[pipeline.name].examined = examined
        return examined

    def _untouched(self, tip: CommitView, pipeline: Pipeline) -> _Memory | None:
        """The memory of a pipeline if nothing that it depends on is different at this commit."""
        memory = self._memory.get(pipeline.name)
        if (
            memory is None
            or memory.inputs.pipeline != pipeline
            or memory.pipelines is not tip.pipelines
            or memory.pins != tip.tree.pins
            or pipeline.reprocess == "every_job"
        ):
            return None
        if memory.root != tip.tree.root:
            changed = self._changed_names(tip, memory.root)
            entry = tip.tree.entry
            for path, before in memory.dependencies.items():
                name = path.partition("/")[0]
                if (not path or name in changed) and entry(path) != before:
                    return None
            memory.root = tip.tree.root
        return memory

    def _changed_names(self, tip: CommitView, root: str) -> Set[str]:
        """Names in the root tree of a commit that are different in another root tree."""
        roots = (root, tip.tree.root)
        if self._changes[0] != roots:
            read = tip.tree.objects.tree
            try:
                old = read(root)
            except OutsideError:  # the former commit was pushed away, and its objects are deleted
                old = {}
            different = old.items() ^ read(tip.tree.root).items()
            self._changes = (roots, {name for name, _ in different})
        return self._changes[1]

    # -- datums and keys ---------------------------------------------------------------------

    def derive_inputs(
        self, tip: CommitView, pipeline: Pipeline, before: Manifest = _NO_MANIFEST
    ) -> PipelineInputs:
        """See :func:`~tea_runner.flow.pipeline_inputs.derive_inputs`."""
        memory = self._untouched(tip, pipeline)
        if memory is not None:
            return _at_commit(memory.inputs, tip)
        memory = self._memory.get(pipeline.name)
        if memory is not None and memory.inputs.pipeline != pipeline:
            memory = None
        locations, shared = locate_inputs(tip, pipeline), shared_inputs(tip, pipeline)
        inputs = None
        if memory is not None and memory.inputs.shared == shared.base:
            inputs = self._follow(memory, tip, locations, shared)
        if memory is None or inputs is None:
            inputs = list_datums(tip, pipeline, locations, shared, before)
            memory = self._memory[pipeline.name] = _Memory(
                inputs=inputs, pipelines=tip.pipelines, dependencies={}
            )
        memory.inputs, memory.pipelines, memory.examined = inputs, tip.pipelines, None
        memory.root, memory.pins = tip.tree.root, tip.tree.pins
        memory.dependencies = {
            path: tip.tree.entry(path) for path in input_dependencies(tip, inputs)
        }
        return inputs

    def _follow(
        self,
        memory: _Memory,
        tip: CommitView,
        locations: tuple[InputLocation, ...],
        shared: SharedInputs,
    ) -> PipelineInputs | None:
        """The inputs at another commit by the files that differ; None where that is not possible."""
        known = replace(memory.inputs, code=shared.code, image=shared.image)
        if locations == known.locations:
            return _at_commit(known, tip)
        pipeline = known.pipeline
        if known.trigger or not can_edit_datums(pipeline):
            return None
        changes = file_changes(known.locations[0], locations[0])
        if changes is None:
            return None
        if not any(changes.values()):
            return _at_commit(replace(known, locations=locations), tip)
        edited = edit_datums(pipeline, known.sources[0].listing, known.datums, **changes)
        sources = (make_source(locations[0], edited.listing),)
        datums = [edit.datum for edit in edited.edits if edit.kind != "delete"]
        keyed = key_datums(tip, pipeline, known.shared, datums, sources)
        _record_edits(memory, edited.edits, datums, keyed)
        return replace(
            known,
            locations=locations,
            sources=sources,
            datums=edited.datums,
            keyed=tuple(apply_edits(edited.edits, known.keyed, keyed)),
            by_label=dict(memory.edited),
        )

    # -- outputs that are in the manifest, but not in the tree ---------------------------------

    def missing_outputs(
        self, tip: CommitView, pipeline: Pipeline, before: Manifest
    ) -> tuple[str, ...]:
        """See :func:`~tea_runner.flow.make_plan.missing_outputs`."""
        tree = home_tree(tip, pipeline)
        manifest, missing = self._missing_outputs.get(tree) or (None, ())
        if manifest is not before:
            old_tree, old = self._complete.get(pipeline.name, ("", before))
            found = _missing_since(tip, before, tree, old_tree, old)
            if found is None:
                found = super().missing_outputs(tip, pipeline, before)
            missing = found
            self._missing_outputs.put(tree, (before, missing))
        if not missing:
            self._complete[pipeline.name] = (tree, before)
        return missing

    # -- decisions ---------------------------------------------------------------------------

    def decide(
        self,
        lookup: KeyLookup,
        examined: ExaminedPipeline,
        recompute: Recompute,
    ) -> PipelinePlan:
        """See :meth:`~tea_runner.flow.key_states.KeyLookup.decide`."""
        inputs, before = examined.inputs, examined.before
        missing_outputs = examined.missing_outputs
        memory = self._memory[inputs.pipeline.name]
        plan = None
        if not missing_outputs and not recompute:
            plan = _decide_edited(
                memory,
                before,
                lambda keyed: lookup.decide(inputs, keyed, before, missing_outputs, recompute),
            )
        if plan is None:
            plan = super().decide(lookup, examined, recompute)
        if plan.state == "settled" and not missing_outputs:
            memory.settled = _Settled(keyed=inputs.keyed, before=before, plan=plan)
            memory.edits, memory.edited = (), {}
        return plan


# -- datums and keys -------------------------------------------------------------------------


def _at_commit(inputs: PipelineInputs, tip: CommitView) -> PipelineInputs:
    """The same datums and keys, read from another commit from now on."""
    here = tuple(replace(each, tip=tip.resolve(each.dataset)[0]) for each in inputs.locations)
    listings = [source.listing for source in inputs.sources]
    return replace(inputs, locations=here, sources=tuple(map(make_source, here, listings)))


def _record_edits(
    memory: _Memory,
    edits: Sequence[DatumEdit],
    datums: Sequence[Datum],
    keyed: Sequence[KeyedDatum],
) -> None:
    """Add edits to those since the pipeline was settled; forget the settled plan when there are many."""
    if memory.settled is None:
        return
    memory.edits = (*memory.edits, *edits)
    if len(memory.edits) > MAX_EDITS:
        memory.settled, memory.edits, memory.edited = None, (), {}
        return
    memory.edited.update(
        (item.label, (datum, item)) for datum, item in zip(datums, keyed, strict=True)
    )
    for edit in edits:
        if edit.kind == "delete":
            memory.edited.pop(edit.datum.label, None)


# -- missing outputs -------------------------------------------------------------------------


def _missing_since(
    tip: CommitView, before: Manifest, tree: str, old_tree: str, old: Manifest
) -> tuple[str, ...] | None:
    """Datums with missing outputs, by what differs from a tree in which none was missing.

    None where too much differs, or an output was removed whose row is the same.
    """
    labels = before.differing(old) if tree and old_tree else None
    if labels is None:
        return None
    try:
        changes = differences(tip.tree.objects.tree, old_tree, tree)
        steps = list(islice(changes, _MAX_HOME_CHANGES + 1))
    except OutsideError:  # the former commit was pushed away, and its objects are deleted
        return None
    old_rows = [old.row(label) for label in labels]
    rows = [before.row(label) for label in sorted(labels)]
    theirs = {path for row in (*old_rows, *rows) if row is not None for path in row.paths}
    if len(steps) > _MAX_HOME_CHANGES:
        return None
    if any(new is None and path not in theirs for path, _, new in steps):
        return None
    return datums_without_outputs(tip, tree, [row for row in rows if row is not None])


# -- decisions -------------------------------------------------------------------------------


def _decide_edited(
    memory: _Memory,
    before: Manifest,
    decide: Callable[[Sequence[KeyedDatum]], PipelinePlan],
) -> PipelinePlan | None:
    """The settled plan after the edits since then; None where it does not apply."""
    settled = memory.settled
    if settled is None:
        return None
    if memory.inputs.keyed is settled.keyed:
        return settled.plan if settled.before is before else None
    if settled.before is not before:
        # The edited datums may have been published since, and nothing else.
        labels = before.differing(settled.before)
        if labels is None or not labels <= {edit.datum.label for edit in memory.edits}:
            return None
    # In the order of the datums: of those with the same key, the first one runs.
    edited = sorted(memory.edited.values(), key=lambda each: datum_order(each[0]))
    part = decide([item for _, item in edited])
    return _edit_plan(settled.plan, memory.edits, part, before)


def _edit_plan(
    settled: PipelinePlan, edits: Sequence[DatumEdit], part: PipelinePlan, before: Manifest
) -> PipelinePlan:
    """The plan of all datums, of a settled plan and the decisions of the edited datums.

    :param before: the manifest; only rows of edited datums may differ from when it was settled.
    """
    edited = {decision.label: decision for decision in part.decisions}
    # A datum that an edit inserted and a later one deleted is in no plan.
    values = [edited.get(edit.datum.label) for edit in edits if edit.kind != "delete"]
    decisions = tuple(filter(None, apply_edits(edits, settled.decisions, values)))
    removed = {edit.datum.label: None for edit in edits if edit.datum.label not in edited}
    counts: Counter[str] = part.counts
    counts["current"] += len(decisions) - len(part.decisions)
    return PipelinePlan(
        pipeline=settled.pipeline,
        state=plan_state(settled.pipeline, counts, before),
        decisions=decisions,
        parts=part.parts,
        counted=+counts,
        moved=part.moving,
        removed=tuple(removed),
    )
