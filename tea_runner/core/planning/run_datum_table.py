"""The datums of a run as a table that is counted, searched and sorted, also with 100,000 rows.

A value for each datum is made for the rows of one page only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, get_args

from tea_runner.core.planning.datum_measures import DatumMeasures
from tea_runner.core.planning.job import Job
from tea_runner.core.planning.job_record import JobRecord
from tea_runner.core.planning.run import Run
from tea_runner.core.planning.run_datum_states import DatumRow, datum_state
from tea_runner.core.planning.states import ENDED_STATES, STATES, State

#: Orders of the rows; "state" has those first that need a person, "" the order of the plan.
Order = Literal["state", "name", "seconds", "cpu", "memory", "read", "written"]
ORDERS: tuple[Order, ...] = get_args(Order)
_RANK = {state: number for number, state in enumerate(STATES)}


class RunTable:
    """The rows of one run as of one plan.

    :param run: with its datums.
    :param jobs: its jobs by id, for the datums that they compute.
    :param number_of_jobs: how many were known.
    """

    def __init__(self, run: Run, jobs: Mapping[str, Job], number_of_jobs: int = 0) -> None:
        self.rows: list[DatumRow] = []
        #: Number of the pipeline of each row, from 0, and id of its job; empty without one.
        self.pipelines: list[int] = []
        self.jobs: list[str] = []
        self.updated = run.updated
        self.number_of_jobs = number_of_jobs
        self._live = not run.has_ended
        self._fixed: list[State] = []
        self._moving: list[int] = []
        self._starts = [0]
        for number, pipeline in enumerate(run.pipelines):
            job_of = {
                key: job_id
                for job_id in pipeline.jobs
                if job_id in jobs
                for _, key in jobs[job_id].datums
            }
            superseded = bool(run.superseded) and pipeline.state not in ENDED_STATES
            for row in pipeline.datums:
                state = datum_state(row)
                if superseded and state in ("waiting", "running"):
                    state = "superseded"
                job_id = job_of.get(row.key, "")
                if self._live and job_id and row.action == "run":
                    self._moving.append(len(self.rows))
                self.rows.append(row)
                self.pipelines.append(number)
                self.jobs.append(job_id)
                self._fixed.append(state)
            self._starts.append(len(self.rows))

    def __len__(self) -> int:
        return len(self.rows)

    def states(self, facts: Mapping[str, JobRecord]) -> list[State]:
        """The state of each row."""
        states = self._fixed[:]
        for index in self._moving:
            job = facts.get(self.jobs[index])
            if job is not None:
                states[index] = job.state_of(self.rows[index].key)
        return states

    def counts(self, states: Sequence[State], run: Run) -> list[Counter[State]]:
        """How many datums of each pipeline are in each state; they add up to the number of datums.

        :param run: with or without its datums.
        """
        found = []
        for number, pipeline in enumerate(run.pipelines):
            counted = Counter(states[slice(*self._starts[number : number + 2])])
            counted["reused"] += pipeline.unlisted
            found.append(+counted)
        return found

    def find(
        self,
        states: Sequence[State],
        *,
        text: str = "",
        state: str = "",
        pipeline: int | None = None,
        errors: Mapping[int, str] | None = None,
    ) -> list[int]:
        """Numbers of the rows that fit, in their order.

        :param text: part of the label, in any case, or beginning of the key.
        :param pipeline: number of the only pipeline.
        :param errors: rows to choose from with their errors, where the text may be as well.
        """
        part = text.casefold()
        rows = range(len(self.rows))
        if pipeline is not None:
            rows = (
                range(*self._starts[pipeline : pipeline + 2]) if self._has(pipeline) else rows[:0]
            )
        return [
            index
            for index in rows
            if (not state or states[index] == state)
            and (
                not part
                or part in self.rows[index].label.casefold()
                or self.rows[index].key.startswith(part)
                or (errors is not None and part in errors.get(index, "").casefold())
            )
        ]

    def _has(self, pipeline: int) -> bool:
        return 0 <= pipeline < len(self._starts) - 1

    def ordered(
        self,
        indexes: Iterable[int],
        order: Order,
        states: Sequence[State],
        measures: Mapping[str, DatumMeasures] | None = None,
    ) -> list[int]:
        """Rows in another order: of measures the largest first, and those without last.

        :param measures: those of the jobs of this run, by key.
        """
        if order == "state":
            return sorted(indexes, key=lambda index: _RANK[states[index]])
        if order == "name":
            return sorted(
                indexes, key=lambda index: (self.rows[index].label, self.pipelines[index])
            )
        known = measures or {}
        field = DatumMeasures._fields.index(order)

        def size(index: int) -> float:
            row = known.get(self.rows[index].key) if self.jobs[index] else None
            value = row[field] if row is not None else None
            return -float(value) if value is not None else 1.0

        return sorted(indexes, key=size)
