"""Recomputed results: their comparison with the known ones, and the requests that asked for them."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import replace

from tea_runner.core.planning.plan import PipelinePlan
from tea_runner.core.planning.recompute_verdict import Outcome, RecomputeVerdict, first_few
from tea_runner.core.results.compose_commit import FinishedDatum
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.compare_outputs import differing_paths, is_same_result
from tea_runner.flow.make_plan import PlannedCommit
from tea_runner.flow.read_manifest import read_manifest
from tea_runner.ports import RecomputeRequests


def judge_recomputed(
    tip: CommitReader, plan: PipelinePlan, finished: Sequence[FinishedDatum]
) -> tuple[list[FinishedDatum], list[RecomputeVerdict]]:
    """Compare recomputed results with those in the tree.

    :returns: the finished datums, those with other bytes marked to replace what is in the tree, and
        a verdict for each recomputed datum.
    """
    again = {decision.label for decision in plan.moving if decision.reason == "forced"}
    if not again:
        return list(finished), []
    find = read_manifest(tip.tree, plan.pipeline.home).finder(len(again))
    judged, verdicts = [], []
    for item in finished:
        row = find(item.label)
        if item.label in again and row is not None and row.key == item.key:
            outputs = {output.path: output for output in item.result.outputs}
            is_same = functools.partial(is_same_result, tip)
            paths = list(differing_paths(plan.pipeline, row, outputs, is_same))
            outcome: Outcome = "differs" if paths else "ok"
            verdicts.append(_verdict(plan, item.label, item.key, outcome, first_few(paths)))
            item = replace(item, recomputed=bool(paths))
        judged.append(item)
    return judged, verdicts


def complete_requests(
    requests: RecomputeRequests,
    pending: Mapping[str, str],
    planned: PlannedCommit,
    plan: PipelinePlan,
) -> list[RecomputeVerdict]:
    """Complete the requests of a pipeline with no datum left to run.

    :param pending: the requests that the plan was made for.
    :returns: verdicts of the datums that failed when they were computed again.
    :raises QueueError: when the queue does not answer.
    """
    if plan.to_run:
        return []
    verdicts = []
    for request, verdict in _failures(plan, planned.tried):
        verdicts.append(verdict)
        requests.record_verdicts(request, [verdict])
    if pending:
        words = {plan.pipeline.name, *(decision.key for decision in plan.decisions)}
        requests.complete(words & pending.keys())
    return verdicts


def _failures(
    plan: PipelinePlan, tried: Mapping[str, tuple[str, str]]
) -> list[tuple[str, RecomputeVerdict]]:
    """Failed keys of this pipeline, each with the id of its request.

    :param tried: key to (request id, error sentence) of all failed keys.
    """
    labels = {decision.key: decision.label for decision in plan.decisions} if tried else {}
    return [
        (request, _verdict(plan, labels[key], key, "failed", sentence))
        for key, (request, sentence) in tried.items()
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
    """For a commit status: which results could not be reproduced; empty when there are none."""
    others = [verdict.datum for verdict in verdicts if verdict.outcome == "differs"]
    return f"not reproducible: other bytes for {first_few(others)}" if others else ""
