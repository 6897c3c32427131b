"""How many bytes the datums of a plan would have fetched from storages."""

from __future__ import annotations

from collections.abc import Iterable

from tea_runner.core.datums.content_identity import key_size
from tea_runner.core.datums.file_fact import LinkedFile
from tea_runner.core.pipeline import empty_inputs
from tea_runner.flow.make_plan import PlannedCommit
from tea_runner.flow.pipeline_datums import PipelineInputs
from tea_runner.flow.prefetch_facts import prefetch_facts


def fetch_bytes(planned: PlannedCommit) -> int:
    """Bytes of the annexed inputs of all datums to run, each content once.

    Costs the facts of the files of those datums.
    """
    sizes: dict[str, int] = {}
    for plan in planned.plan.pipelines:
        work = planned.works.get(plan.pipeline.name)
        if work is not None:
            labels = (decision.label for decision in plan.to_run)
            sizes |= _sizes(planned, work, labels)
    return sum(sizes.values())


def _sizes(planned: PlannedCommit, work: PipelineInputs, labels: Iterable[str]) -> dict[str, int]:
    """Annex keys to their sizes; those without a size count as 0."""
    empty = empty_inputs(work.pipeline.input)
    sizes = {}
    for datum in prefetch_facts(planned.tip, map(work.datum, labels), work.sources):
        for shown in work.view(datum).files:
            fact = work.sources[shown.input].locate(shown.path).fact
            if isinstance(fact, LinkedFile) or shown.input in empty:
                continue
            if fact.key is not None:
                sizes[fact.key] = key_size(fact.key) or 0
    return sizes
