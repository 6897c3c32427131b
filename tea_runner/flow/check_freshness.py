"""Freshness of all results in a commit, pipeline by pipeline, and of results without a pipeline."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tea_runner.core.errors import UserError
from tea_runner.core.git.tree import LINK, SUBMODULE, walk_tree
from tea_runner.core.pipeline import Pipeline
from tea_runner.core.planning.result_freshness import (
    DatumFreshness,
    PipelineFreshness,
    datum_freshness,
)
from tea_runner.core.results import manifest_text
from tea_runner.core.results.manifest import Manifest
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.edited_or_missing_outputs import changed_outputs
from tea_runner.flow.input_triggers import holds, look_at_triggers
from tea_runner.flow.pipeline_datums import derive_inputs
from tea_runner.flow.read_manifest import read_manifest
from tea_runner.flow.reuse_rule import acceptance_of
from tea_runner.flow.signed_manifest_rows import unproven_datums
from tea_runner.ports import Dataset


def check_freshness(
    dataset: Dataset,
    tip: CommitReader,
    only: Sequence[str] = (),
    *,
    reuse_branches: bool = True,
    begin: Callable[[str], None] = lambda _: None,
) -> list[PipelineFreshness]:
    """The freshness of all results of the tree.

    :param only: names of the pipelines to check; all, and results without a pipeline, when empty.
    :param reuse_branches: whether results of untrusted branches may count elsewhere.
    :param begin: called with the name of each pipeline before it is checked.
    :raises UserError: for two pipelines of one name, or a cycle.
    """
    found: dict[str, PipelineFreshness] = {}
    for pipeline in tip.pipelines:
        begin(pipeline.name)
        behind = tuple(
            other.name
            for other in tip.pipelines.upstream(pipeline)
            if not found[other.name].current
        )
        found[pipeline.name] = _freshness(dataset, tip, pipeline, behind, reuse_branches)
    results = [each for each in found.values() if not only or each.name in only]
    return results if only else [*results, *_orphans(tip)]


def _freshness(
    dataset: Dataset,
    tip: CommitReader,
    pipeline: Pipeline,
    behind: tuple[str, ...],
    reuse_branches: bool,
) -> PipelineFreshness:
    try:
        inputs = derive_inputs(tip, pipeline)
    except UserError as error:
        return PipelineFreshness(
            name=pipeline.name, home=pipeline.home, behind=behind, problem=error.message
        )
    before = read_manifest(tip.tree, pipeline.home)
    accepts = acceptance_of(inputs, tip=tip, reader="trusted", reuse_branches=reuse_branches)
    datums = datum_freshness(
        inputs.keyed,
        inputs.shared,
        before,
        *changed_outputs(tip, pipeline, before),
        unproven_datums(dataset, tip.tree, pipeline.home, before, "", accepts),
    )
    found = PipelineFreshness(name=pipeline.name, home=pipeline.home, datums=datums, behind=behind)
    triggers = look_at_triggers(tip, inputs, before)
    if triggers is not None and holds(triggers, inputs, before):
        return found.held_back(triggers.sentence)
    return found


def _orphans(tip: CommitReader) -> list[PipelineFreshness]:
    """Results below manifests without a pipeline: it was removed or moved."""
    homes = {pipeline.home for pipeline in tip.pipelines}
    found = []
    for path, entry in walk_tree(tip.tree.objects.tree, tip.tree.root):
        home, _, name = path.rpartition("/")
        if name != manifest_text.NAME or home in homes or entry.mode in (LINK, SUBMODULE):
            continue
        manifest = read_manifest(tip.tree, home)
        if manifest == Manifest():
            continue
        rows = tuple(DatumFreshness(row.datum, "orphaned", "", row.paths) for row in manifest.rows)
        found.append(PipelineFreshness(name=home or ".", home=home, datums=rows, owned=False))
    return found
