"""States of datums from plans and jobs: one count per state, and they add up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tea_runner.core.planning.job import Job
from tea_runner.core.planning.job_record import JobRecord, parse_job_record
from tea_runner.core.planning.plan import Source
from tea_runner.core.planning.run import PipelineRun, Run, superseded_run, updated_run
from tea_runner.core.planning.run_datum_states import DatumRow, RunAction
from tea_runner.core.planning.run_status import run_status
from tea_runner.core.planning.states import JobState, PlanState, State


def facts(state: JobState, number: int, *keys: str) -> JobRecord:
    """A job with these keys."""
    job = Job(
        repository="lab/edges",
        branch="main",
        commit="c",
        pipeline="edges",
        datums=tuple((key, key) for key in keys),
    )
    return JobRecord(id=f"job{number}", state=state, job=job)


def run(*pipelines: PipelineRun, **words: object) -> Run:
    """A run of these pipelines."""
    return Run(
        id="0" * 12,
        repository="lab/edges",
        branch="main",
        commit="c",
        pipelines=list(pipelines),
        **words,  # type: ignore[arg-type]
    )


def datum(key: str, action: RunAction, detail: str = "", source: Source | None = None) -> DatumRow:
    """A datum that is new."""
    return DatumRow(key, key, action, "new", detail, source)


def row(state: PlanState, counts: dict[Any, int], *datums: DatumRow, jobs: int = 0) -> PipelineRun:
    """A pipeline with these datums."""
    return PipelineRun(
        name="edges",
        state=state,
        counts=counts,
        jobs=[f"job{number}" for number in range(jobs)],
        datums=list(datums),
    )


def test_datums_that_are_to_run_stand_as_their_jobs_do() -> None:
    """Each has its job's state; those that no job is known for wait."""
    jobs = {
        "job0": facts("done", 0, "a"),
        "job1": facts("running", 1, "b"),
        "job2": facts("failed", 2, "c"),
    }
    pipeline = row(
        "running",
        {"run": 4, "current": 1},
        datum("a", "run"),
        datum("b", "run"),
        datum("c", "run"),
        datum("d", "run"),
        datum("e", "current"),
        jobs=3,
    )
    found = run_status(run(pipeline), jobs).pipelines[0]
    assert ["done", "running", "failed", "waiting", "reused"] == [d.state for d in found.datums]
    assert {"done": 1, "running": 1, "failed": 1, "waiting": 1, "reused": 1} == found.numbers
    assert ["job0", "job1", "job2", "", ""] == [d.job for d in found.datums]
    assert found.state == "running"


def test_unchanged_datums_without_a_row_are_counted() -> None:
    """The counts add up to all datums, and say how many have no row."""
    jobs = {"job0": facts("running", 0, "a")}
    pipeline = replace(row("running", {}, datum("a", "run"), jobs=1), unlisted=1999)
    found = run_status(run(pipeline), jobs).pipelines[0]
    assert {"running": 1, "reused": 1999} == found.numbers
    assert (2000, 1999) == (found.total, found.unlisted)


def test_one_bad_datum_of_a_set_is_one_failure() -> None:
    """The job failed; its other datums are done, and each has its own error."""
    job = replace(facts("failed", 0, *"abc"), error="no b", failures={"b": "no b"})
    pipeline = row("running", {}, *(datum(key, "run") for key in "abcd"), jobs=1)
    found = run_status(run(pipeline), {"job0": job}).pipelines[0]
    assert {"done": 2, "failed": 1, "waiting": 1} == found.numbers
    assert ["", "no b", "", ""] == [each.error for each in found.datums]


def test_what_somebody_cancelled_has_not_failed() -> None:
    """The reason says so, in lists of runs without their jobs as well."""
    cancelled = DatumRow("a", "a", "failed", "cancelled", "somebody cancelled it")
    pipeline = row("failed", {}, cancelled, datum("b", "current"))
    planned = updated_run(run(pipeline), None, 1.0)
    found = run_status(planned)
    assert {"cancelled": 1, "reused": 1} == found.numbers == planned.pipelines[0].counts
    assert found.state == found.pipelines[0].state == "cancelled"


def test_results_of_jobs_that_are_not_published_yet_are_done() -> None:
    """A result under a private ref was computed for this branch, not reused from another run."""
    pipeline = row(
        "running",
        {},
        datum("a", "reuse", "refs/tea/jobs/1", "job"),
        datum("b", "reuse", "c0ffee", "manifest"),
    )
    found = run_status(updated_run(run(pipeline), None, 1.0)).pipelines[0]
    assert ["done", "reused"] == [each.state for each in found.datums]


def test_a_later_attempt_reuses_what_the_earlier_one_computed() -> None:
    """Only results of its own jobs are done; the others are there already."""
    pipeline = row(
        "ready",
        {},
        datum("a", "reuse", "refs/tea/jobs/job0", "job"),
        datum("b", "reuse", "refs/tea/jobs/other", "job"),
        jobs=1,
    )
    found = run_status(updated_run(run(pipeline, previous="1" * 12), None, 1.0)).pipelines[0]
    assert ["done", "reused"] == [each.state for each in found.datums]


def test_a_superseded_run_has_an_end() -> None:
    """What it had done stays; the rest is superseded, whatever becomes of its jobs."""
    settled = row("settled", {"done": 2})
    under_way = row("running", {}, datum("a", "run"), datum("b", "current"), jobs=1)
    replaced = superseded_run(run(settled, under_way), "replaced by the push of c1", "1" * 12, 9.0)
    found = run_status(replaced, {"job0": facts("running", 0, "a")})
    assert ("superseded", True, 9.0) == (found.state, found.ended, replaced.ended)
    assert ["done", "superseded"] == [each.state for each in found.pipelines]
    assert {"done": 2, "reused": 1, "superseded": 1} == found.numbers
    assert replaced == superseded_run(replaced, "again", "", 10.0)


@pytest.mark.parametrize(
    ("rows", "verdict"),
    [
        ([row("settled", {"done": 1})], "done"),
        ([row("settled", {"reused": 1})], "reused"),
        ([row("settled", {"reused": 1}), row("settled", {"done": 1})], "done"),
        ([row("settled", {"done": 1}), row("failed", {"failed": 1})], "failed"),
        ([row("failed", {"failed": 1}), row("blocked", {})], "failed"),
        ([row("blocked", {})], "blocked"),
        ([row("settled", {"done": 1}), row("waiting", {})], "running"),
        ([row("running", {"run": 1}), row("waiting", {})], "waiting"),
        ([row("ready", {"reuse": 1})], "running"),
        ([], "done"),
    ],
)
def test_a_run_is_what_its_pipelines_are(rows: list[PipelineRun], verdict: State) -> None:
    """One word over all pipelines; what needs a person is the stronger."""
    assert verdict == run_status(run(*rows)).state


def test_problems_alone_are_a_failure() -> None:
    """A push whose pipeline files cannot be read is not a success of nothing."""
    assert run_status(run(problems=["edges/spec.yml:3: no"])).state == "failed"


def test_what_the_queue_says_is_read_with_care() -> None:
    """Numbers that are none, times beyond all calendars and unknown words count as unknown."""
    known = {
        "state": "<b>",
        "attempt": "many",
        "started": "1e300",
        "ended": "nan",
        "seconds": "-7",
        "fetched": "12",
        "created": "1700000000.5",
    }
    found = parse_job_record("j", known, None)
    assert found == JobRecord(id="j", state="waiting", created=1700000000.5, fetched=12)
    assert () == found.datums
