"""Jobs and outcomes in files."""

from __future__ import annotations

from pathlib import Path

import pytest

from tea_runner.core.errors import NotFound, OutsideError
from tea_runner.core.planning.job import Job
from tea_runner.core.planning.job_outcome import JobOutcome
from tea_runner.executors.job_folder import JobFolder, make_job_folder

JOB = Job(
    repository="lab/a",
    branch="main",
    commit="1" * 40,
    pipeline="fit",
    datums=(("in:a.txt", "k1"), ("in:\udce4", "k2")),
    pins=(("sub", "2" * 40),),
    needs="apptainer",
)


@pytest.fixture
def folder(tmp_path: Path) -> JobFolder:
    """A folder with one job, number 7."""
    return make_job_folder(tmp_path / "jobs", {7: JOB})


def test_a_job_is_read_as_it_was_written(folder: JobFolder) -> None:
    """Also labels that are not UTF-8."""
    assert JOB == folder.job(7)


def test_a_job_that_is_not_there_is_not_found(folder: JobFolder) -> None:
    """As for a task that begins when the run is over."""
    with pytest.raises(NotFound):
        folder.job(8)


@pytest.mark.parametrize(
    "outcome",
    [
        JobOutcome(log=b"printed\n\xff"),
        JobOutcome(failures={"k1": "the command exited 1"}),
        JobOutcome(error=OutsideError("no storage answers", hint="wait")),
    ],
)
def test_an_outcome_is_taken_as_it_was_written(folder: JobFolder, outcome: JobOutcome) -> None:
    """Once: it is gone then."""
    assert [] == list(folder.ended())
    folder.write_outcome(7, outcome)
    assert [7] == list(folder.ended())
    taken = folder.take_outcome(7)

    assert (outcome.failures, outcome.log) == (taken.failures, taken.log)
    assert str(outcome.error) == str(taken.error)
    assert [] == list(folder.ended())


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"failures": [], "error": null}', "[" * 9999])
def test_a_malformed_outcome_is_an_error(folder: JobFolder, text: str) -> None:
    """A disk that is full leaves such files."""
    folder.write_outcome(7, JobOutcome())
    (folder.path / "7.outcome").write_text(text)
    with pytest.raises(OutsideError, match="cannot be read"):
        folder.take_outcome(7)


def test_a_removed_folder_takes_no_outcome(folder: JobFolder) -> None:
    """The task says so in the output that Slurm keeps."""
    folder.remove()
    with pytest.raises(OutsideError, match="cannot be written"):
        folder.write_outcome(7, JobOutcome())
