"""Jobs in a real Redis: one worker at a time, a lease that runs out, wanters told once."""

from __future__ import annotations

from dataclasses import replace

from tea_runner.broker import redis_keys
from tea_runner.core.planning.job import Job
from tea_runner.ports import Failure
from tea_runner.wiring import Site
from tests.looking import begin, fail, make_job


def plans(site: Site) -> int:
    """How many plan requests wait."""
    return site.queues.length("plan")


def test_a_job_that_is_wanted_twice_is_enqueued_once(site: Site) -> None:
    """Two branches want it: one piece of work, and both are planned again when it has ended."""
    job = make_job()
    other = replace(job, branch="other")

    assert (True, False) == (site.jobs.enqueue(job), site.jobs.enqueue(other))
    assert 1 == site.queues.length("job")
    claim = site.jobs.claim(job.id, "w", "t")
    assert claim is not None
    site.jobs.finish(claim, "done")
    assert 2 == plans(site)
    assert not site.jobs.in_flight(job.queue_namespace, [key for _, key in job.datums])


def test_keys_are_in_flight_from_wish_to_end(site: Site) -> None:
    """Each key leads to the job that computes it, also while a worker is at it."""
    job = make_job(1, "a", "b")
    keys = [key for _, key in job.datums]
    site.jobs.enqueue(job)
    expected = dict.fromkeys(keys, job.id)

    assert expected == dict(site.jobs.in_flight(job.queue_namespace, [*keys, "unknown"]))
    claim = site.jobs.claim(job.id, "w", "t")
    assert claim is not None
    assert expected == dict(site.jobs.in_flight(job.queue_namespace, keys))


def test_only_one_worker_gets_a_job(site: Site) -> None:
    """A second claim gets nothing while the first one's lease holds; then it gets the job."""
    job = make_job()
    site.jobs.enqueue(job)
    first = site.jobs.claim(job.id, "one", "1")

    assert first is not None
    assert (job, 1) == (first.job, first.attempt)
    assert site.jobs.claim(job.id, "two", "2") is None
    site.redis.delete(redis_keys.lease(job.id))
    second = site.jobs.claim(job.id, "two", "2")
    assert second is not None
    assert (2, False, True) == (second.attempt, site.jobs.extend(first), site.jobs.extend(second))


def test_who_lost_its_claim_cannot_end_the_job(site: Site) -> None:
    """A worker that comes back from the dead changes nothing."""
    job = make_job()
    site.jobs.enqueue(job)
    lost = site.jobs.claim(job.id, "one", "1")
    site.redis.delete(redis_keys.lease(job.id))
    assert site.jobs.claim(job.id, "two", "2") is not None
    assert lost is not None
    site.jobs.finish(lost, "failed", "x")

    assert "running" == site.jobs.get(job.id)["state"]
    assert 0 == plans(site)


def test_a_job_that_kills_its_workers_is_parked(site: Site) -> None:
    """After three deaths its keys have failed, with the reason, and it is not given out again."""
    job = make_job()
    site.jobs.enqueue(job)
    for attempt in "123":
        assert site.jobs.claim(job.id, "w", attempt) is not None
        site.redis.delete(redis_keys.lease(job.id))

    assert site.jobs.claim(job.id, "w", "4") is None
    (failure,) = site.jobs.failures(job.queue_namespace, [key for _, key in job.datums]).values()
    assert "died 3 times in a row" in failure.sentence


def test_a_branch_is_planned_when_its_last_job_has_ended(site: Site) -> None:
    """Not before: sixty-four jobs are one plan, not sixty-four."""
    jobs: list[Job] = [make_job(number) for number in range(4)]
    for job in jobs:
        site.jobs.enqueue(job)
    for number, job in enumerate(jobs):
        claim = site.jobs.claim(job.id, "w", "t")
        assert claim is not None
        site.jobs.finish(claim, "done")
        assert (1 if number == 3 else 0) == plans(site)


def test_failures_are_forgotten_when_somebody_asks(site: Site) -> None:
    """``retry``: the sentence is gone, and the key may run again."""
    job = make_job()
    (key,) = (key for _, key in job.datums)
    site.jobs.finish(begin(site, job), "failed", failures={key: "why"})

    assert {key: Failure("why")} == dict(site.jobs.failures(job.queue_namespace, [key]))
    assert 1 == site.jobs.forget_failures(job.queue_namespace, [key])
    assert not site.jobs.failures(job.queue_namespace, [key])


def test_a_retry_leaves_the_failed_job_as_it_was(site: Site) -> None:
    """It is another job with the same datums, and a branch that waits for neither is planned once."""
    job = make_job()
    assert job == site.jobs.next_attempt(job)
    fail(site, job, "no such colour")

    again = site.jobs.next_attempt(job)
    assert (job.datums, "1") == (again.datums, again.retry)
    site.jobs.enqueue(again)
    assert again == site.jobs.next_attempt(job)
    facts = site.jobs.facts([job.id, again.id])
    assert ["failed", "waiting"] == [facts[name].state for name in (job.id, again.id)]
    assert {job.datums[0][1]: "no such colour"} == facts[job.id].failures
