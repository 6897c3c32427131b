"""Datums whose keys differ from the manifest's by the rules of keys alone, not by what they name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from tea_runner.core.datums.datum_keys import KeyBase, datum_key
from tea_runner.core.datums.former_key_rules import KeyForm
from tea_runner.core.pipeline import pfs_leaves
from tea_runner.core.planning.plan import Decision, PipelinePlan
from tea_runner.core.results.manifest import Manifest
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.pipeline_datums import PipelineInputs
from tea_runner.flow.pipeline_key_parts import code_digest


def name_format_changes(
    tip: CommitReader, inputs: PipelineInputs, plan: PipelinePlan, before: Manifest
) -> PipelinePlan:
    """The plan with the reason ``key-format`` for datums that former rules give the row's key.

    The cost is proportional to the datums that run for a changed input, of pipelines with
    ``empty_files``; and to the code, where the code has changed.
    """
    changed = [d for d in plan.to_run if d.reason in ("input-changed", "code-changed")]
    forms = list(_forms(tip, inputs, before, {each.reason for each in changed})) if changed else []
    if not forms:
        return plan
    find = before.finder(len(changed))
    rows = {each.label: row for each in changed if (row := find(each.label)) is not None}
    named = {
        label
        for label, row in rows.items()
        if any(row.key == _key(inputs, label, form, base) for form, base in forms)
    }
    return replace(plan, decisions=tuple(_named(plan.decisions, named))) if named else plan


def _forms(
    tip: CommitReader, inputs: PipelineInputs, before: Manifest, reasons: set[str]
) -> Iterable[tuple[KeyForm, KeyBase]]:
    """The former rules that can give other keys than today's, with the shared part under them."""
    pipeline = inputs.pipeline
    empty = any(leaf.empty_files for leaf in pfs_leaves(pipeline.input))
    by_name = empty and pipeline.view != "dataset"
    if "code-changed" in reasons:
        base = replace(inputs.shared, code=code_digest(tip, pipeline, documentation=True))
        if base.parts["code"] == before.parts.get("code"):
            yield KeyForm(documentation_is_code=True), base
            if by_name:
                yield KeyForm(documentation_is_code=True, placeholders_by_name=True), base
    if by_name:
        yield KeyForm(placeholders_by_name=True), inputs.shared


def _key(inputs: PipelineInputs, label: str, form: KeyForm, base: KeyBase) -> str:
    shown = inputs.view(inputs.datum(label)).inputs
    return datum_key(base, form.inputs(inputs.pipeline, shown))


def _named(decisions: Iterable[Decision], labels: set[str]) -> Iterable[Decision]:
    for each in decisions:
        yield each._replace(reason="key-format", detail="") if each.label in labels else each
