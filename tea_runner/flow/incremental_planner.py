"""Planning from the plan before: what a commit does not change is not computed again.

:class:`IncrementalPlanner` gives exactly the plans of :func:`~tea_runner.flow.make_plan.make_plan`
without it; a property test compares the two.  It keeps, for each pipeline, what was derived of it last,
and takes the first of these ways that applies:

- Nothing that the inputs depend on has changed (:mod:`~tea_runner.flow.input_path_dependencies`): the
  inputs are kept.
- Some files of the only input have changed: the datums of those files are edited
  (:mod:`~tea_runner.core.datums.incremental_enumerate`), and only they are decided.
- Everything else is derived and decided from nothing.

Nothing here is keyed by time: a result is reused only where object ids prove that it is the same, so it
can be shared by all branches of a repository.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace

from tea_runner.core.datums.incremental_enumerate import (
    apply_edits,
    can_edit_datums,
    edit_datums,
)
from tea_runner.core.errors import OutsideError
from tea_runner.core.pipeline import Pipeline
from tea_runner.core.planning.plan import PipelinePlan
from tea_runner.core.results.manifest import Manifest
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.edited_or_missing_outputs import ChangedOutputs
from tea_runner.flow.incremental_edited_or_missing_outputs import IncrementalChangedOutputs
from tea_runner.flow.input_changes import file_changes
from tea_runner.flow.input_links import (
    broken_datums,
    kept_links,
    moved_links,
    refuse_results,
)
from tea_runner.flow.input_location import InputLocation, make_source
from tea_runner.flow.input_path_dependencies import input_dependencies
from tea_runner.flow.key_lookup import KeyLookup, Recompute
from tea_runner.flow.linked_folders import LinkedFoldersError
from tea_runner.flow.make_plan import (
    ExaminedPipeline,
    PipelinePlanner,
)
from tea_runner.flow.pipeline_datums import (
    PipelineInputs,
    key_datums,
    list_datums,
    locate_inputs,
)
from tea_runner.flow.pipeline_key_parts import SharedInputs, shared_inputs
from tea_runner.flow.pipeline_plan_cache import PipelineMemory
from tea_runner.flow.planning_cache import PlanningCache
from tea_runner.flow.resolve_at import resolve_at

_NO_MANIFEST = Manifest()


class IncrementalPlanner(PipelinePlanner):
    """Plans commits of one repository, each from what it keeps of those before."""

    def __init__(self, cache: PlanningCache | None = None) -> None:
        #: For the commits that are planned here.
        self.cache = cache or PlanningCache()
        self._memory: dict[str, PipelineMemory] = {}
        self._differences = IncrementalChangedOutputs()
        #: Two root trees, and the names in them that differ.
        self._changes: tuple[tuple[str, str], Set[str]] = (("", ""), frozenset())

    def evict_unused(self) -> None:
        """Evict what the last plan did not use, so that memory does not grow with the history."""
        self.cache.evict_unused()
        self._differences.evict_unused()

    def clear(self) -> None:
        """Release everything at once: there are reference cycles, which the garbage collector finds late."""
        self.cache.clear()
        self._memory.clear()
        self._differences.clear()

    def examine(self, tip: CommitReader, pipeline: Pipeline) -> ExaminedPipeline:
        """See :meth:`~tea_runner.flow.make_plan.PipelinePlanner.examine`."""
        pipeline = resolve_at(tip, pipeline)
        memory = self._untouched(tip, pipeline)
        if memory is not None and memory.examined is not None:
            return replace(memory.examined, inputs=_at_commit(memory.inputs, tip))
        examined = super().examine(tip, pipeline)
        self._memory[pipeline.name].examined = examined
        return examined

    def _untouched(self, tip: CommitReader, pipeline: Pipeline) -> PipelineMemory | None:
        """The memory of a pipeline if nothing that it depends on is different at this commit."""
        memory = self._memory.get(pipeline.name)
        if (
            memory is None
            or memory.inputs.pipeline != pipeline
            or memory.pipelines is not tip.pipelines
            or memory.pins != tip.tree.pins
            or pipeline.reprocess == "every_job"
            # Whether a folder was there before depends on the history, not on the tree.
            or any(location.is_gone for location in memory.inputs.locations)
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

    def _changed_names(self, tip: CommitReader, root: str) -> Set[str]:
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
        self, tip: CommitReader, pipeline: Pipeline, before: Manifest = _NO_MANIFEST
    ) -> PipelineInputs:
        """See :func:`~tea_runner.flow.pipeline_datums.derive_inputs`."""
        pipeline = resolve_at(tip, pipeline)
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
            memory = self._memory[pipeline.name] = PipelineMemory(
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
        memory: PipelineMemory,
        tip: CommitReader,
        locations: tuple[InputLocation, ...],
        shared: SharedInputs,
    ) -> PipelineInputs | None:
        """The inputs at another commit by the files that differ; None where that is not possible."""
        known = replace(
            memory.inputs,
            code=shared.code,
            image=shared.image,
            through=shared.through,
            left_out=shared.left_out,
        )
        pipeline = known.pipeline
        moved = set[str]()
        for location, source in zip(locations, known.sources, strict=False):
            if source.links:
                # Results of others may have come to where links lead.
                some = moved_links(location, source) if memory.pins == tip.tree.pins else None
                if some is None or memory.pipelines is not tip.pipelines:
                    return None
                moved |= some
        if locations == known.locations and not moved:
            refuse_results(tip, pipeline, known.sources)
            return _at_commit(known, tip)
        if known.trigger or not can_edit_datums(pipeline):
            return None
        source = known.sources[0]
        found = file_changes(known.locations[0], locations[0], source)
        if found is None:
            return None
        changes, inner = found
        touched = {path for paths in (changes["removed"], changes["added"]) for path in paths}
        changes["modified"] = sorted({*changes["modified"], *moved} - touched)
        touched.update(changes["modified"])
        links = kept_links(source, touched)
        if not touched:
            sources = (make_source(locations[0], source.listing, inner, links),)
            return _at_commit(replace(known, locations=locations, sources=sources), tip)
        edited = edit_datums(pipeline, source.listing, known.datums, **changes)
        sources = (make_source(locations[0], edited.listing, inner, links),)
        datums = [edit.datum for edit in edited.edits if edit.kind != "delete"]
        try:
            keyed = key_datums(tip, pipeline, known.shared, datums, sources)
        except LinkedFoldersError:
            return None
        refuse_results(tip, pipeline, sources)
        memory.record_edits(edited.edits, datums, keyed)
        all_keyed = tuple(apply_edits(edited.edits, known.keyed, keyed))
        return replace(
            known,
            locations=locations,
            sources=sources,
            datums=edited.datums,
            keyed=all_keyed,
            by_label=dict(memory.edited),
            broken=broken_datums(edited.datums, all_keyed, sources),
        )

    # -- outputs that are in the tree not as the manifest lists them -----------------------------

    def changed_outputs(
        self, tip: CommitReader, pipeline: Pipeline, before: Manifest
    ) -> ChangedOutputs:
        """See :func:`~tea_runner.flow.edited_or_missing_outputs.changed_outputs`."""
        return self._differences.of(tip, pipeline, before)

    # -- decisions ---------------------------------------------------------------------------

    def decide(
        self,
        lookup: KeyLookup,
        examined: ExaminedPipeline,
        recompute: Recompute,
    ) -> PipelinePlan:
        """See :meth:`~tea_runner.flow.key_lookup.KeyLookup.decide`."""
        inputs, before = examined.inputs, examined.before
        different = examined.different
        memory = self._memory[inputs.pipeline.name]
        plan = None
        if examined.all_current and not recompute:
            plan = memory.decide_edited(
                before,
                lambda keyed: lookup.decide(inputs, keyed, before, different, recompute),
            )
        if plan is None:
            plan = super().decide(lookup, examined, recompute)
        if plan.state == "settled" and examined.all_current:
            memory.keep_settled(before, plan)
        return plan


def _at_commit(inputs: PipelineInputs, tip: CommitReader) -> PipelineInputs:
    """The same datums and keys, read from another commit from now on."""
    here = tuple(replace(each, tip=tip.resolve(each.dataset)[0]) for each in inputs.locations)
    sources = tuple(
        make_source(location, source.listing, source.inner, source.links)
        for location, source in zip(here, inputs.sources, strict=False)
    )
    # Ticks of schedules are at all commits the same.
    return replace(inputs, locations=here, sources=(*sources, *inputs.sources[len(here) :]))
