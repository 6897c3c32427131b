"""Which branches have results behind their inputs or code, and since when."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tea_runner.core.planning.run_status import RunStatus

#: States of runs after which all results are those of the commit.
_CURRENT = ("done", "reused")


@dataclass(frozen=True, kw_only=True)
class BranchFreshness:
    """One branch with its latest run."""

    latest: RunStatus
    #: When the first push came whose results are not there, in seconds since 1970; 0 when all are.
    behind_since: float = 0.0


def branch_freshness(runs: Iterable[RunStatus]) -> list[BranchFreshness]:
    """The branches of some runs, those that are behind first, the longest of them at the top.

    :param runs: of one or more repositories, the latest first.
    """
    latest: dict[tuple[str, str], RunStatus] = {}
    since: dict[tuple[str, str], float] = {}
    current: set[tuple[str, str]] = set()
    for status in runs:
        branch = (status.run.repository, status.run.branch)
        latest.setdefault(branch, status)
        if status.state in _CURRENT:
            current.add(branch)
        elif branch not in current:
            since[branch] = status.run.started
    rows = [
        BranchFreshness(latest=status, behind_since=since.get(branch, 0.0))
        for branch, status in latest.items()
    ]
    return sorted(rows, key=lambda row: (not row.behind_since, row.behind_since))
