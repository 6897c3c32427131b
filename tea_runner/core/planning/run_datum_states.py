"""States of the datums of a run, and their counts: the only place where datums are counted.

Pages, terminal, JSON and commit statuses show these counts.  A run has a row for each datum with
something to do, and for some of the unchanged ones; the others are a number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

from tea_runner.core.planning.job_record import JobRecord
from tea_runner.core.planning.plan import Source
from tea_runner.core.planning.states import State

#: What is kept of a datum's decision; "done" instead of "reuse" when a job of this run computed it.
RunAction = Literal["current", "reuse", "run", "wait", "failed", "blocked", "done"]

#: Action of a plan, or word of counts of former versions, to the state of a datum.
OF_ACTION: Mapping[str, State] = {
    "done": "done",
    "reused": "reused",
    "reuse": "reused",
    "current": "reused",
    "recovered": "recovered",
    "run": "waiting",
    "wait": "waiting",
    "failed": "failed",
    "cancelled": "cancelled",
    "blocked": "blocked",
    "waiting": "waiting",
    "running": "running",
    "superseded": "superseded",
}


class DatumRow(NamedTuple):
    """One datum of a run; in JSON a list in this order."""

    label: str
    key: str
    action: RunAction
    #: One of :data:`~tea_runner.core.planning.reasons.REASONS`, or a word of another version.
    reason: str
    detail: str = ""
    source: Source | None = None


def states_of_words(numbers: Mapping[str, int]) -> Counter[State]:
    """Counts of actions as counts of states; unknown words are left out."""
    counted: Counter[State] = Counter()
    for word, number in numbers.items():
        state = OF_ACTION.get(word)
        if state is not None:
            counted[state] += number
    return +counted


def datum_state(row: DatumRow, facts: JobRecord | None = None) -> State:
    """The state of a datum.

    :param facts: the job that computes it, while the run has not ended.
    """
    if row.action == "run" and facts is not None:
        return facts.state_of(row.key)
    if row.action == "failed" and row.reason == "cancelled":
        return "cancelled"
    if row.reason == "recovered":
        return "recovered"
    return OF_ACTION.get(row.action, "waiting")


def count_datums(
    rows: Iterable[DatumRow],
    unlisted: int = 0,
    by_key: Mapping[str, JobRecord] | None = None,
    *,
    superseded: bool = False,
) -> Counter[State]:
    """How many datums are in each state; the counts add up to the number of datums.

    :param unlisted: unchanged datums without a row.
    :param by_key: jobs that compute them, while the run has not ended.
    :param superseded: whether the run was replaced: what it had not done is superseded.
    """
    jobs = by_key or {}
    counted = Counter(datum_state(row, jobs.get(row.key)) for row in rows)
    if superseded:
        counted["superseded"] = counted.pop("waiting", 0) + counted.pop("running", 0)
    counted["reused"] += unlisted
    return +counted
