"""Runs as pages look at them again and again: what did not change is neither read nor counted again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from tea_runner.core.errors import NotFound
from tea_runner.core.planning.datum_measures import DatumMeasures
from tea_runner.core.planning.job import Job
from tea_runner.core.planning.job_record import JobRecord
from tea_runner.core.planning.run import Run, without_datums
from tea_runner.core.planning.run_datum_table import RunTable
from tea_runner.core.planning.run_status import DatumStatus, RunStatus, datum_status, run_status
from tea_runner.core.planning.states import ENDED_STATES, State
from tea_runner.core.planning.worker_requirement import Offered
from tea_runner.web import not_found_texts
from tea_runner.wiring import Site

#: Largest number of jobs of a run that are read; the others count as waiting until they end.
MOST_JOBS = 5000
#: Rows of all tables, and of the jobs and measures, that are kept.
_MOST_ROWS = 500_000


@dataclass(frozen=True)
class RunView:
    """A run at one moment."""

    status: RunStatus
    table: RunTable
    states: Sequence[State]
    facts: Mapping[str, JobRecord]
    offers: frozenset[Offered]

    @property
    def run(self) -> Run:
        """The run, without its datums."""
        return self.status.run

    def datum(self, index: int) -> DatumStatus:
        """One row."""
        row, job_id = self.table.rows[index], self.table.jobs[index]
        facts = self.facts.get(job_id)
        by_key = {row.key: facts} if facts is not None else {}
        pipeline = self.run.pipelines[self.table.pipelines[index]]
        superseded = bool(self.run.superseded) and pipeline.state not in ENDED_STATES
        live = {} if self.run.has_ended else by_key
        return datum_status(row, by_key, live, superseded, self.offers)


class RunViews:
    """The runs that are looked at; of a finished one, everything is kept."""

    def __init__(self, site: Site, offers: Callable[[], Iterable[Offered]]) -> None:
        self._site = site
        self._offers = offers
        self._tables: OrderedDict[str, RunTable] = OrderedDict()
        self._jobs: dict[str, Job] = {}
        self._measures: OrderedDict[tuple[str, float], dict[str, DatumMeasures]] = OrderedDict()

    def view(self, name: str) -> RunView:
        """The run with this id.

        :raises NotFound: when it is unknown or has expired.
        """
        run = self._site.runs.head(name)
        table = self._tables.get(name)
        if run is not None and (table is None or table.updated != run.updated):
            run, table = self._site.runs.get(name), None
        if run is None:
            raise NotFound(not_found_texts.RUN)
        ids = [job for pipeline in run.pipelines for job in pipeline.jobs][:MOST_JOBS]
        if sum(len(job.datums) for job in self._jobs.values()) > _MOST_ROWS:
            self._jobs.clear()
        facts = self._site.jobs.heads(ids, self._jobs)
        if table is None or table.number_of_jobs != len(facts):
            table = self._table(run, facts)
        states = table.states(facts)
        offers = frozenset(self._offers())
        head = without_datums(run)
        status = run_status(head, facts, offers, table.counts(states, head))
        return RunView(status=status, table=table, states=states, facts=facts, offers=offers)

    def _table(self, run: Run, facts: Mapping[str, JobRecord]) -> RunTable:
        whole = run if any(row.datums for row in run.pipelines) else self._site.runs.get(run.id)
        jobs = {job_id: each.job for job_id, each in facts.items() if each.job is not None}
        table = RunTable(whole or run, jobs, len(facts))
        self._tables[run.id] = table
        self._tables.move_to_end(run.id)
        while len(self._tables) > 1 and sum(map(len, self._tables.values())) > _MOST_ROWS:
            self._tables.popitem(last=False)
        return table

    def measures(self, view: RunView, ids: Iterable[str]) -> dict[str, DatumMeasures]:
        """Measures of the datums of these jobs of a run, by key."""
        # A job that ran again ended at another time.
        ended = {
            (each, view.facts[each].ended)
            for each in dict.fromkeys(ids)
            if each in view.facts and view.facts[each].ended
        }
        missing = {name: at for name, at in ended if (name, at) not in self._measures}
        for job_id, rows in self._site.measures.get(list(missing)).items():
            self._measures[job_id, missing[job_id]] = {row.key: row for row in rows}
        found: dict[str, DatumMeasures] = {}
        for each in ended:
            found.update(self._measures.get(each, {}))
        while sum(map(len, self._measures.values())) > _MOST_ROWS:
            self._measures.popitem(last=False)
        return found
