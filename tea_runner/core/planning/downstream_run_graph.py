"""The runs that a push led to in other repositories, as a graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tea_runner.core.planning.run import Run


@dataclass(frozen=True, kw_only=True)
class Cascade:
    """The first run, and the runs after it, the oldest first."""

    runs: Sequence[Run]
    #: Ids of runs to the ids of those whose commits moved their pins.
    upstream: Mapping[str, Sequence[str]]


def cascade(first: Run, known: Sequence[Run]) -> Cascade:
    """The runs of other repositories that have a cause in common with a run, and the run itself.

    :param known: all runs that are remembered; their datums are not needed.
    """
    roots = set(first.causes) or {first.commit}
    others = [run for run in known if run.id != first.id and roots & set(run.causes)]
    runs = [first, *sorted(others, key=lambda run: (run.started, run.id))]
    commits: dict[str, str] = {}
    for run in runs:
        for commit in (run.commit, *(row.commit for row in run.pipelines if row.commit)):
            # A commit of two runs is the later one's: that is what others have seen.
            commits[f"{run.repository}@{commit}"] = run.id
    upstream = {
        run.id: sorted({commits[pin] for pin in run.pins if commits.get(pin, run.id) != run.id})
        for run in runs
    }
    return Cascade(runs=_reachable(first, runs, upstream), upstream=upstream)


def _reachable(first: Run, runs: Sequence[Run], upstream: Mapping[str, Sequence[str]]) -> list[Run]:
    """The first run and those below it; runs with the same cause beside it are left out."""
    reached = {first.id}
    for _ in runs:
        more = {run.id for run in runs if reached & set(upstream[run.id])} - reached
        if not more:
            break
        reached |= more
    return [run for run in runs if run.id in reached]
