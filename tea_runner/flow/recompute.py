"""What was computed although it was known in, verdicts out: the same bytes, others, or a failure."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import replace

from tea_runner.core.planning.plan import PipelinePlan
from tea_runner.core.planning.recompute_verdict import Outcome, RecomputeVerdict, differing_datums
from tea_runner.core.results.compose import FinishedDatum
from tea_runner.flow.commit_view import CommitView
from tea_runner.flow.compare_outputs import differing_paths, is_same_result


def judge_recomputed(
    tip: CommitView, plan: PipelinePlan, finished: Sequence[FinishedDatum]
) -> tuple[list[FinishedDatum], list[RecomputeVerdict]]:
    """What was computed again: the same bytes change nothing, others replace what stands."""
    again = {decision.label for decision in plan.moving if decision.reason == "forced"}
    if not again:
        return list(finished), []
    find = tip.manifest(plan.pipeline).finder(len(again))
    judged, verdicts = [], []
    for item in finished:
        row = find(item.label)
        if item.label in again and row is not None and row.key == item.key:
            outputs = {output.path: output for output in item.result.outputs}
            is_same = functools.partial(is_same_result, tip)
            paths = list(differing_paths(plan.pipeline, row, outputs, is_same))
            outcome: Outcome = "differs" if paths else "ok"
            verdicts.append(_verdict(plan, item.label, item.key, outcome, differing_datums(paths)))
            item = replace(item, again=bool(paths))
        judged.append(item)
    return judged, verdicts


def failures(
    plan: PipelinePlan, tried: Mapping[str, tuple[str, str]]
) -> list[tuple[str, RecomputeVerdict]]:
    """Of the keys that were tried again and failed, those of this pipeline, each with its wish."""
    labels = {decision.key: decision.label for decision in plan.decisions} if tried else {}
    return [
        (wish, _verdict(plan, labels[key], key, "failed", verdict_sentence))
        for key, (wish, verdict_sentence) in tried.items()
        if key in labels
    ]


def _verdict(
    plan: PipelinePlan, datum: str, key: str, outcome: Outcome, detail: str
) -> RecomputeVerdict:
    return RecomputeVerdict(
        pipeline=plan.pipeline.name,
        datum=datum,
        key=key,
        outcome=outcome,
        detail=detail,
        by="recompute",
    )


def verdict_sentence(verdicts: Sequence[RecomputeVerdict]) -> str:
    """What a status says of results that could not be reproduced."""
    others = [verdict.datum for verdict in verdicts if verdict.outcome == "differs"]
    return f"not reproducible: other bytes for {differing_datums(others)}" if others else ""
