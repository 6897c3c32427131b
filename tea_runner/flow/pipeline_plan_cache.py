"""What is kept of one pipeline between plans: its inputs, its settled plan, and edits since then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tea_runner.core.datums.datum import Datum
from tea_runner.core.datums.incremental_enumerate import DatumEdit, apply_edits, datum_order
from tea_runner.core.git.tree import TreeEntry
from tea_runner.core.planning.plan import (
    KeyedDatum,
    PipelinePlan,
    plan_state,
    recovered_counts,
)
from tea_runner.core.results.manifest import Manifest
from tea_runner.flow.input_changes import MAX_EDITS
from tea_runner.flow.make_plan import ExaminedPipeline
from tea_runner.flow.pipeline_datums import PipelineInputs
from tea_runner.flow.pipeline_set import PipelineSet


@dataclass(frozen=True, kw_only=True)
class SettledPlan:
    """A plan in which every datum was current, and what it was made from."""

    keyed: tuple[KeyedDatum, ...]
    before: Manifest
    plan: PipelinePlan


@dataclass(kw_only=True)
class PipelineMemory:
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
    settled: SettledPlan | None = None
    #: Edits that lead from the datums of *settled* to those of *inputs*.
    edits: tuple[DatumEdit, ...] = ()
    #: The datums that these edits set or inserted and that still exist.
    edited: dict[str, tuple[Datum, KeyedDatum]] = field(default_factory=dict)

    def record_edits(
        self,
        edits: Sequence[DatumEdit],
        datums: Sequence[Datum],
        keyed: Sequence[KeyedDatum],
    ) -> None:
        """Add edits to those since the pipeline was settled; with many, forget the settled plan."""
        if self.settled is None:
            return
        self.edits = (*self.edits, *edits)
        if len(self.edits) > MAX_EDITS:
            self.settled, self.edits, self.edited = None, (), {}
            return
        self.edited.update(
            (item.label, (datum, item)) for datum, item in zip(datums, keyed, strict=True)
        )
        for edit in edits:
            if edit.kind == "delete":
                self.edited.pop(edit.datum.label, None)

    def decide_edited(
        self,
        before: Manifest,
        decide: Callable[[Sequence[KeyedDatum]], PipelinePlan],
    ) -> PipelinePlan | None:
        """The settled plan after the edits since then; None where it does not apply."""
        settled = self.settled
        if settled is None:
            return None
        if self.inputs.keyed is settled.keyed:
            return settled.plan if settled.before is before else None
        if settled.before is not before:
            # The edited datums may have been published since, and nothing else.
            labels = before.differing(settled.before)
            if labels is None or not labels <= {edit.datum.label for edit in self.edits}:
                return None
        # In the order of the datums: of those with the same key, the first one runs.
        edited = sorted(self.edited.values(), key=lambda each: datum_order(each[0]))
        part = decide([item for _, item in edited])
        return _edit_plan(settled.plan, self.edits, part, before)

    def keep_settled(self, before: Manifest, plan: PipelinePlan) -> None:
        """Keep a plan in which every datum is current; edits count from now on."""
        self.settled = SettledPlan(keyed=self.inputs.keyed, before=before, plan=plan)
        self.edits, self.edited = (), {}


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
        # Few pipelines have any, so that the others need not be looked through.
        recovered=recovered_counts(decisions) if settled.recovered else part.recovered,
        moved=part.moving,
        removed=tuple(removed),
    )
