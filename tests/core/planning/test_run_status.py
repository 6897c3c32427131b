"""States of datums from plans and jobs: one count per state, and they add up."""

from __future__ import annotations

import pytest

from tea_runner.core.planning.job import Job
from tea_runner.core.planning.plan import Source
from tea_runner.core.planning.run import DatumRow, PipelineRun, Run, RunAction
from tea_runner.core.planning.run_status import JobFacts, job_facts, run_status
from tea_runner.core.planning.states import JobState, PlanState, State


def facts(state: JobState, number: int, *keys: str) -> JobFacts:
    """A job with these keys."""
    job = Job(
        repository="lab/edges",
        branch="main",
        commit="c",
        pipeline="edges",
        datums=tuple((key, key) for key in keys),
    )
    return JobFacts(id=f"job{number}", state=state, job=job)


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


def row(state: PlanState, counts: dict[str, int], *datums: DatumRow, jobs: int = 0) -> PipelineRun:
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


def test_counts_add_up_when_not_all_datums_are_remembered() -> None:
    """The sizes of the jobs tell what is under way, and never more than there is."""
    jobs = {
        "job0": facts("done", 0, *map(str, range(500))),
        "job1": facts("running", 1, *map(str, range(500, 900))),
    }
    found = run_status(run(row("running", {"run": 800, "current": 200}, jobs=2)), jobs).pipelines[0]
    assert {"done": 500, "running": 300, "reused": 200} == found.numbers
    assert found.total == 1000


def test_what_somebody_cancelled_has_not_failed() -> None:
    """The planner knows only that it must not run; its job says why."""
    jobs = {"job0": facts("cancelled", 0, "a")}
    pipeline = row(
        "failed",
        {"failed": 1, "current": 1},
        datum("a", "failed", "x"),
        datum("b", "current"),
        jobs=1,
    )
    found = run_status(run(pipeline), jobs)
    assert {"cancelled": 1, "reused": 1} == found.numbers
    assert found.state == found.pipelines[0].state == "cancelled"


def test_results_of_jobs_that_are_not_published_yet_are_done() -> None:
    """A result under a private ref was computed for this branch, not reused from another run."""
    pipeline = row(
        "running",
        {"reuse": 2},
        datum("a", "reuse", "refs/tea/jobs/1", "job"),
        datum("b", "reuse", "c0ffee", "manifest"),
    )
    found = run_status(run(pipeline)).pipelines[0]
    assert ["done", "reused"] == [each.state for each in found.datums]


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
    found = job_facts("j", known, None)
    assert found == JobFacts(id="j", state="waiting", created=1700000000.5, fetched=12)
    assert () == found.datums
