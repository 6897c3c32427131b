"""Limit on how often a pipeline is published without a push: a branch that never settles is stopped.

A chain of pipelines publishes each of them once for a push.  Pipelines that change one another's
inputs in a way that no check finds would publish for ever.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass

from tea_runner.core.errors import TeaError
from tea_runner.core.planning.plan import PipelinePlan
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.tracked_subdatasets import tracked
from tea_runner.ports import PublicationCounts

#: Results commits of one pipeline for one push, in a clone.
MOST_PUBLICATIONS = 20


class LocalPublicationCounts:
    """The counts of one process."""

    def __init__(self) -> None:
        self._inputs = ""
        self._counts: dict[str, int] = {}

    def of(self, inputs: str) -> Mapping[str, int]:
        """See :class:`~tea_runner.ports.PublicationCounts`."""
        return self._counts if inputs == self._inputs else {}

    def add(self, inputs: str, pipeline: str) -> None:
        """See :class:`~tea_runner.ports.PublicationCounts`."""
        if inputs != self._inputs:
            self._inputs, self._counts = inputs, {}
        self._counts[pipeline] = self._counts.get(pipeline, 0) + 1


@dataclass(frozen=True, kw_only=True)
class PublicationLimit:
    """Counts publications of one branch, and refuses those beyond the limit."""

    counts: PublicationCounts
    most: int = MOST_PUBLICATIONS

    def refusal(self, tip: CommitReader, plan: PipelinePlan) -> str:
        """Why the pipeline is not published once more, or an empty text.

        :raises QueueError: when the counts cannot be read.
        """
        counts = self.counts.of(_inputs(tip))
        if counts.get(plan.pipeline.name, 0) < self.most:
            return ""
        names = sorted(name for name, count in counts.items() if 2 * count > self.most)
        return (
            f"this branch does not settle: {' and '.join(names)} published {self.most} times since the "
            f"last push; let no pipeline change another one's inputs in a circle, then push or use "
            f"tea-runner retry"
        )

    def count(self, tip: CommitReader, plan: PipelinePlan) -> None:
        """Count a publication, unless a person asked for it.

        :raises QueueError: when it cannot be counted.
        """
        if not any(decision.reason == "forced" for decision in plan.moving):
            self.counts.add(_inputs(tip), plan.pipeline.name)


def _inputs(tip: CommitReader) -> str:
    """What was given: the pushed commit, commits of tracked subdatasets, ticks, values of variables."""
    pins = []
    with contextlib.suppress(TeaError):
        pins = [
            f"{path} {entry.oid}"
            for path in sorted(tracked(tip))
            if (entry := tip.tree.entry(path))
        ]
    ticks = [f"{name} {list(some)[-1:]}" for name, some in sorted(tip.tree.ticks.items())]
    values = [f"{name} {sorted(some.items())}" for name, some in sorted(tip.tree.variables.items())]
    return "\n".join([tip.tree.origin, *pins, *ticks, *values])
