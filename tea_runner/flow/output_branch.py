"""The branch that all pipelines of a commit name for their results (``output_branch``).

The results themselves are beside the pushed branch, as those of branches that are not trusted are; once
all of them are there, that branch is moved to them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from tea_runner.core.results.common_output_branch import output_branch
from tea_runner.core.results.results_branch import BranchTips
from tea_runner.flow.advance_outcome import PipelineProgress
from tea_runner.flow.commit_reader import open_commit
from tea_runner.flow.planning_cache import PlanningCache
from tea_runner.ports import Dataset


def tips_with_results(dataset: Dataset, branch: str, cache: PlanningCache) -> BranchTips | None:
    """The tips of a branch, by the pipeline files of its own tip; None when there is no such branch.

    :raises Refused: when it may not be planned.
    :raises OutsideError: when git ends with an error, or the forge does not say whether it is trusted.
    """
    pushed = dataset.tip(branch)
    if pushed is None:
        return None
    named = output_branch(open_commit(dataset.objects, pushed, cache).pipelines.written)
    return dataset.tips(branch, named)


@dataclass(frozen=True, kw_only=True)
class WholeResults:
    """What became of the branch of whole results."""

    #: Whether it is at the planned commit.
    moved: bool = False
    #: Why it stays as it is, with what to do; empty for no reason.
    refusal: str = ""


def publish_whole_results(
    dataset: Dataset, tips: BranchTips, progress: Collection[PipelineProgress]
) -> WholeResults | None:
    """Move the branch of whole results, if there is one and all results are there.

    :returns: None when a branch moved meanwhile, so that it has to be planned again.
    :raises OutsideError: when the forge does not answer.
    """
    if not tips.output or not all(map(_is_published, progress)):
        return WholeResults()
    refusal = dataset.publish_output(tips)
    return None if refusal is None else WholeResults(moved=not refusal, refusal=refusal)


def _is_published(each: PipelineProgress) -> bool:
    """Whether a pipeline's results are there, as far as it asks for them."""
    partly = each.plan is not None and each.plan.pipeline.on_failure == "publish"
    return each.state == "settled" or (each.state == "failed" and partly)
