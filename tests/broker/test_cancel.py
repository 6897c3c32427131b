"""Cancelling jobs in every state, and trying again what was cancelled."""

from __future__ import annotations

import pytest

from tea_runner.broker import redis_keys
from tea_runner.core.errors import NotFound
from tea_runner.wiring import Site
from tests.looking import REPOSITORY, begin, make_job


def datum_keys(number: int = 1) -> list[str]:
    """The datum keys of a job."""
    return [key for _, key in make_job(number).datums]


def test_a_waiting_job_ends_at_once_and_is_not_taken(site: Site) -> None:
    """Cancelled before it began: no worker gets it, and the branch is planned again."""
    job = make_job()
    site.jobs.enqueue(job)

    assert site.jobs.cancel(job.id) == "cancelled"
    assert site.jobs.facts([job.id])[job.id].state == "cancelled"
    assert site.jobs.claim(job.id, "worker", "token") is None
    assert site.queues.length("plan") == 1
    assert {} == site.jobs.in_flight(REPOSITORY, datum_keys())


def test_a_cancelled_key_is_not_planned_again_until_somebody_retries(site: Site) -> None:
    """Its keys count as failed, with a sentence that says how to run them after all."""
    job = make_job()
    site.jobs.enqueue(job)
    site.jobs.cancel(job.id)

    assert (
        "tea-runner retry" in site.jobs.failures(REPOSITORY, datum_keys())[datum_keys()[0]].sentence
    )
    assert site.jobs.forget_failures(REPOSITORY, datum_keys()) == 1
    assert site.jobs.enqueue(job)
    assert site.jobs.claim(job.id, "worker", "token") is not None


def test_a_running_job_stops_when_its_worker_sees_it(site: Site) -> None:
    """The worker is told; when it gives the claim back, the job ends instead of waiting again."""
    job = make_job()
    claim = begin(site, job)
    assert not site.jobs.is_cancelled(claim)

    assert site.jobs.cancel(job.id) == "stopping"
    assert site.jobs.is_cancelled(claim)
    assert site.jobs.facts([job.id])[job.id].stopping
    site.jobs.release(claim)
    assert site.jobs.facts([job.id])[job.id].state == "cancelled"
    assert datum_keys()[0] in site.jobs.failures(REPOSITORY, datum_keys())


def test_a_failure_of_the_world_does_not_revive_a_cancelled_job(site: Site) -> None:
    """A worker that meets a broken network while it should stop does not put the job back."""
    job = make_job()
    claim = begin(site, job)
    site.jobs.cancel(job.id)
    site.jobs.retry_later(claim, "the forge does not answer")
    assert site.jobs.facts([job.id])[job.id].state == "cancelled"


def test_a_job_that_was_done_first_stays_done(site: Site) -> None:
    """Whoever finishes before the worker looks has finished."""
    job = make_job()
    claim = begin(site, job)
    site.jobs.cancel(job.id)
    site.jobs.finish(claim, "done")
    assert site.jobs.facts([job.id])[job.id].state == "done"
    assert site.jobs.cancel(job.id) == "ended"
    assert {} == site.jobs.failures(REPOSITORY, datum_keys())


def test_a_job_whose_worker_died_while_stopping_is_not_started_again(site: Site) -> None:
    """The flag outlives the worker: the next one that would take the job ends it."""
    job = make_job()
    begin(site, job)
    site.jobs.cancel(job.id)
    site.redis.delete(redis_keys.lease(job.id))
    assert site.jobs.claim(job.id, "another", "token2") is None
    assert site.jobs.facts([job.id])[job.id].state == "cancelled"


def test_a_worker_that_lost_its_claim_ends_nothing(site: Site) -> None:
    """Another worker has the job by now: giving an old claim back changes nothing."""
    job = make_job()
    old = begin(site, job)
    site.redis.delete(redis_keys.lease(job.id))
    assert site.jobs.claim(job.id, "another", "token2") is not None
    site.jobs.cancel(job.id)
    site.jobs.release(old)
    assert site.jobs.facts([job.id])[job.id].state == "running"


def test_branches_that_wait_for_other_jobs_too_are_not_planned_yet(site: Site) -> None:
    """Only the last of a branch's jobs brings the plan."""
    first, second = make_job(1), make_job(2)
    site.jobs.enqueue(first)
    site.jobs.enqueue(second)
    site.jobs.cancel(first.id)
    assert site.queues.length("plan") == 0
    site.jobs.cancel(second.id)
    assert site.queues.length("plan") == 1


def test_an_unknown_job_is_named(site: Site) -> None:
    """What is not there cannot be stopped, and the sentence says where to look."""
    with pytest.raises(NotFound, match="there is no job"):
        site.jobs.cancel("0" * 32)
