"""The pipeline of a job has the environment that was planned, or the job is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tea_runner.core.errors import OutsideError
from tea_runner.core.planning.job import Job
from tests.twins.lab import MemoryLab
from tests.twins.plans import TWO
from workers.pipeline_at_commit import job_pipeline


def test_other_software_than_planned_is_refused() -> None:
    """It would be a result under a key that says otherwise; without a word any software will do."""
    lab = MemoryLab()
    commit = lab.push(TWO)
    job = Job(repository="lab/data", branch="main", commit=commit, pipeline="copy", datums=())
    view = lab.view()

    assert "" == job_pipeline(view, job, "lab-2").transform.software
    named = replace(job, software="lab-1")
    assert "lab-1" == job_pipeline(view, named, "lab-1").transform.software
    with pytest.raises(OutsideError, match="lab-2 on this worker, and lab-1 on the planner"):
        job_pipeline(view, named, "lab-2")
    with pytest.raises(OutsideError, match="has no pipeline"):
        job_pipeline(view, replace(job, pipeline="none"), "")
