"""A worker in a batch system takes no job that would outlive it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tea_runner.broker.rq_consumer import QueueConsumer
from tests.e2e.conftest import folder_lab
from tests.e2e.lab import Lab
from workers import job_worker
from workers.branch_planner import BranchPlanner
from workers.job_worker import JobWorker

_SPEC = """\
pipeline: {name: copy}
input: {pfs: {repo: in, glob: "/*"}}
transform: {cmd: [sh, -c, "cp $PFS/in/* $PFS/out"]}
"""


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A lab on a folder of bare repositories."""
    made = folder_lab(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize(("seconds", "taken"), [(1.0, True), (1000.0, False)])
def test_a_job_longer_than_the_time_that_is_left(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, *, fresh: bool, seconds: float, taken: bool
) -> None:
    """It goes back to the queue and the worker ends; where no worker has more time, the job waits."""
    rules = "* annex.backend=MD5E\n**/spec.yml annex.largefiles=nothing\n"
    lab.create(files={"in/a.txt": "a\n", ".gitattributes": rules, "copy/spec.yml": _SPEC})
    lab.push()
    site = lab.site()
    ended: list[str] = []
    site.plan_requests.request_plan(lab.name, "refs/heads/main", why="test")
    planner = BranchPlanner(site)
    QueueConsumer(site.redis, "plan", planner, name="planner").run(burst=True)
    (job,) = site.queues.queued("job")
    site.throughputs.record(lab.name, "copy", datums=1, seconds=seconds)
    if not fresh:
        monkeypatch.setattr(job_worker, "_FRESH", -1.0)

    worker = JobWorker(
        site, "short", ends_at=time.monotonic() + 100, end_early=lambda: ended.append("ended")
    )
    try:
        before = site.queues.length("job")
        worker(job)
    finally:
        worker.close()
        planner.close()
    assert taken == (site.jobs.states([job])[job].state == "done")
    assert ([] if taken or fresh else ["ended"]) == ended
    # Given back at once it is in the queue twice: the test called the worker without taking it out.
    assert before + (not taken and not fresh) == site.queues.length("job")
