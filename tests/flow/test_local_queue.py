"""The queue of one process: jobs between two plans, and the requests of one command."""

from __future__ import annotations

from dataclasses import replace

from tea_runner.core.planning.job import Job
from tea_runner.core.planning.recompute_verdict import RecomputeVerdict
from tea_runner.flow.local_queue import LocalQueue, LocalRecomputeRequests
from tea_runner.ports import Failure

REPOSITORY = "lab/data"
KEYS = tuple(letter * 64 for letter in "ab")
JOB = Job(
    repository=REPOSITORY,
    branch="main",
    commit="c" * 40,
    pipeline="copy",
    datums=(("in:a", KEYS[0]),),
)


def test_the_queue_of_one_process_gives_its_jobs_once() -> None:
    """Nothing is in flight between two plans; failures last as long as the process."""
    queue = LocalQueue()
    job = JOB
    assert queue.enqueue(job)
    assert not queue.enqueue(job)
    queue.subscribe(REPOSITORY, "main", job.id)
    queue.failed[KEYS[1]] = "no"

    assert queue.in_flight(REPOSITORY, KEYS) == {}
    assert queue.missing(REPOSITORY, KEYS) == {}
    assert queue.failures(REPOSITORY, KEYS) == {KEYS[1]: Failure("no")}
    assert queue.take() == [job]
    assert queue.take() == []
    assert queue.enqueue(job)


def test_the_queue_of_one_process_gives_jobs_by_priority() -> None:
    """The highest first; the others in the order in which they came."""
    queue = LocalQueue()
    jobs = [replace(JOB, datums=((f"in:{each}", each * 64),)) for each in "abcd"]
    for job, priority in zip(jobs, (1, 4, 1, 9), strict=True):
        queue.enqueue(job, priority=priority)
    assert [jobs[3], jobs[1], jobs[0], jobs[2]] == queue.take()


def test_the_requests_of_one_process_are_those_of_its_command() -> None:
    """Verdicts are kept and passed on."""
    written: list[RecomputeVerdict] = []
    requests = LocalRecomputeRequests(["copy", KEYS[0]], "r1", written.extend)
    verdict = RecomputeVerdict(pipeline="copy", datum="in:a", key=KEYS[0], outcome="ok")
    requests.complete(["copy", "nothing"])
    requests.record_verdicts("r1", [verdict])
    requests.cancel_jobs_except([])
    with requests.exclusive():
        pass

    assert requests.pending() == {KEYS[0]: "r1"}
    assert requests.verdicts == written == [verdict]
