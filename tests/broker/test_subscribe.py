"""Subscribing to a job whose end comes between the look at its state and the subscription."""

from __future__ import annotations

import json

import pytest

from tea_runner.broker import redis_keys
from tea_runner.core.planning.job import Job
from tea_runner.wiring import Site
from tests.looking import REPOSITORY, begin, make_job

OTHER = "other"


def end(site: Site, job: Job, how: str) -> None:
    """The job ends, in one of the ways in which one can."""
    if how == "lost":
        site.redis.delete(redis_keys.job(job.id))
    elif how == "cancelled":
        site.jobs.cancel(job.id)
    else:
        site.jobs.finish(begin(site, job), "done")
    # The job's own branch is planned then; here it is about the other one.
    site.plan_requests.begin(REPOSITORY, "main")
    site.redis.delete(redis_keys.rq_queue("tea-plan"))


@pytest.mark.parametrize("how", ["done", "cancelled", "lost"])
def test_a_branch_is_planned_at_once_when_the_job_has_ended(site: Site, how: str) -> None:
    """The planner saw the job in flight, and it ended before the branch was subscribed."""
    job = make_job()
    site.jobs.enqueue(job)
    assert site.jobs.in_flight(REPOSITORY, [key for _, key in job.datums])
    end(site, job, how)

    site.jobs.subscribe(REPOSITORY, OTHER, job.id)

    assert {json.dumps([REPOSITORY, OTHER])} == site.queues.queued("plan")
    assert not site.redis.exists(redis_keys.subscribers(job.id)) or how == "lost"
    assert not site.redis.exists(redis_keys.pending(redis_keys.branch_id(REPOSITORY, OTHER)))


def test_several_jobs_that_have_ended_are_one_plan(site: Site) -> None:
    """The first one requests it."""
    jobs = [make_job(number) for number in range(3)]
    for job in jobs:
        site.jobs.subscribe(REPOSITORY, OTHER, job.id)
    assert {json.dumps([REPOSITORY, OTHER])} == site.queues.queued("plan")
    assert 1 == site.queues.length("plan")


def test_a_branch_is_planned_when_the_job_ends_later(site: Site) -> None:
    """As one that enqueued the job itself."""
    job = make_job()
    claim = begin(site, job)
    site.jobs.subscribe(REPOSITORY, OTHER, job.id)
    assert set() == site.queues.queued("plan")

    site.jobs.finish(claim, "done")

    expected = {json.dumps([REPOSITORY, branch]) for branch in ("main", OTHER)}
    assert expected == site.queues.queued("plan")
    assert not site.redis.exists(redis_keys.subscribers(job.id))
