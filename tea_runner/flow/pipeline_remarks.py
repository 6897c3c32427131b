"""Remarks on pipelines: what their files ask for and does not happen, and inputs without data.

They are said wherever a pipeline is planned or run, once for each pipeline.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tea_runner.core.errors import TeaError
from tea_runner.core.pipeline import Pipeline, pfs_leaves
from tea_runner.core.spec.field_reader import FOR_CLUSTERS
from tea_runner.core.spec.unmet_needs import unmet_needs
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.input_location import locate_input
from tea_runner.flow.pipeline_datums import PipelineInputs
from tea_runner.flow.why_no_datums import why_no_datums


@dataclass(frozen=True, kw_only=True)
class PipelineRemarks:
    """What is to be said of the pipelines of a commit."""

    #: Name of a pipeline to a sentence; those without one are absent.
    by_pipeline: dict[str, str]
    #: Of all fields that are for a cluster only; empty for none.
    cluster: str = ""

    @property
    def lines(self) -> tuple[str, ...]:
        """All of them as sentences, each with the name of its pipeline."""
        named = tuple(f"{name}: {text}" for name, text in self.by_pipeline.items())
        return (*named, self.cluster) if self.cluster else named


def pipeline_remarks(
    tip: CommitReader, works: Mapping[str, PipelineInputs], only: Sequence[str] = ()
) -> PipelineRemarks:
    """The remarks on the pipelines of a commit.

    :param works: inputs of the pipelines, by their names; what is absent is not looked at for its datums.
    :param only: names of the pipelines; all when empty.
    """
    written = [each for each in tip.pipelines.written if not only or each.name in only]
    offer = tip.tree.cache.offer
    sentences: dict[str, list[str]] = {each.name: _gone_inputs(tip, each) for each in written}
    for each in written:
        if each.name in works:
            reasons = why_no_datums(tip, works[each.name])
            sentences[each.name] += [reason.problem for reason in reasons]
        needs = unmet_needs(each, offer) if offer is not None else ()
        sentences[each.name] += [f"{need.problem} ({need.hint})" for need in needs]
    fields: dict[str, None] = {}
    owners = set()
    for problem in tip.pipelines.problems:
        if problem.pipeline not in sentences:
            continue
        if problem.cluster_fields:
            fields.update(dict.fromkeys(problem.cluster_fields))
            owners.add(problem.pipeline)
        elif problem.kind == "ignored":
            sentences[problem.pipeline].append(f"{problem.message} ({problem.hint})")
    names = ", ".join(fields)
    of = f" of {len(owners)} pipelines" if len(owners) > 1 else ""
    verb = "have" if len(fields) > 1 else "has"
    return PipelineRemarks(
        by_pipeline={name: "; ".join(found) for name, found in sentences.items() if found},
        cluster=f"{names}{of} {verb} no effect: {FOR_CLUSTERS}" if fields else "",
    )


def _gone_inputs(tip: CommitReader, pipeline: Pipeline) -> list[str]:
    """Inputs whose folder is no longer there."""
    found = []
    for leaf in pfs_leaves(pipeline.input):
        if tip.pipelines.source_of(leaf) is not None or tip.tree.entry(leaf.place) is not None:
            continue
        with contextlib.suppress(TeaError):  # The plan says so.
            if locate_input(tip, pipeline, leaf).is_gone:
                found.append(f"{leaf.repo} is no longer in this dataset: the input is empty")
    return found
