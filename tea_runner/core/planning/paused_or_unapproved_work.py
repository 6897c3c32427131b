"""Work that is planned and does not begin: it was paused, or is so much that a person has to approve it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

from tea_runner.core.planning.approval_or_pause import Order, approval_of, pause_of

HoldReason = Literal["paused", "approval-needed"]

#: Reasons of pipelines that wait for a person.
HOLD_REASONS: tuple[HoldReason, ...] = get_args(HoldReason)


class Hold(NamedTuple):
    """Why a pipeline's jobs do not begin."""

    reason: HoldReason
    #: As a sentence: who paused it, or how much it is.
    detail: str


class PlannedWork(NamedTuple):
    """Datums of a pipeline that a plan would enqueue."""

    pipeline: str
    datums: int
    #: Seconds that one took before; None where that is not known.
    seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class WorkLimits:
    """What a push may compute without an approval; 0 is no limit.

    :param datums: their number.
    :param hours: of the work of one worker, estimated from former datums.
    """

    datums: int = 0
    hours: float = 0.0


@dataclass(frozen=True, kw_only=True)
class BranchOrders:
    """What people have ordered for a branch, and what it may compute without them."""

    repository: str
    branch: str
    limits: WorkLimits = WorkLimits()
    orders: Sequence[Order] = ()

    def approved_by(self, commit: str) -> str:
        """Who approved the work of a pushed commit; empty for nobody."""
        found = approval_of(self.orders, "approve", self.repository, self.branch, commit)
        return found.by if found is not None else ""

    def approver(self, commit: str) -> str:
        """Who approved a pushed commit, or a pull request's; empty for nobody."""
        found = approval_of(
            self.orders, "approve pull request", self.repository, self.branch, commit
        )
        return self.approved_by(commit) or (found.by if found is not None else "")

    def holds(self, commit: str, work: Iterable[PlannedWork]) -> Mapping[str, Hold]:
        """Pipelines whose jobs do not begin.

        :param commit: the pushed commit.
        :param work: what a plan of it would enqueue now.
        """
        held: dict[str, Hold] = {}
        rest = []
        for each in work:
            pause = pause_of(self.orders, self.repository, each.pipeline)
            if pause is None:
                rest.append(each)
            else:
                held[each.pipeline] = Hold("paused", f"{pause.place} was paused by {pause.by}")
        too_much = "" if self.approved_by(commit) else excess(rest, self.limits)
        if too_much:
            held |= {each.pipeline: Hold("approval-needed", too_much) for each in rest}
        return held


def excess(work: Sequence[PlannedWork], limits: WorkLimits) -> str:
    """A sentence that says that work is above the limits; empty when it is not."""
    datums = sum(each.datums for each in work)
    hours = sum(each.datums * (each.seconds or 0.0) for each in work) / 3600
    above = []
    if limits.datums and datums > limits.datums:
        above.append(f"limits.ask_above is {limits.datums}")
    if limits.hours and hours > limits.hours:
        above.append(f"limits.ask_above_hours is {limits.hours:g}")
    if not above:
        return ""
    number = "1 datum" if datums == 1 else f"{datums:,} datums"
    took = f", about {hours:,.1f} hours" if hours >= 0.05 else ""
    return f"would compute {number}{took}; {' and '.join(above)}"
