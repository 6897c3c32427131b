"""The set of live jobs: kept by every move, cheap to read, and rebuilt when it was lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tea_runner.broker import redis_keys
from tea_runner.broker.job_index import COMPLETE
from tea_runner.wiring import Site
from tests.looking import REPOSITORY, begin, make_job, plan_to_end

TIP = "1" * 40


def commands(site: Site, call: Callable[[], object]) -> Counter[str]:
    """How often Redis carries out each command during a call."""
    site.redis.config_resetstat()
    call()
    statistics: Any = site.redis.info("commandstats")
    counts = Counter(
        {name.removeprefix("cmdstat_"): row["calls"] for name, row in statistics.items()}
    )
    del counts["config|resetstat"], counts["info"]
    return counts


def members(site: Site) -> set[str]:
    """Ids in the set."""
    found: Any = site.redis.smembers(redis_keys.live_jobs())
    return {member.decode() for member in found} - {COMPLETE}


def end_many(site: Site, number: int) -> None:
    """Many jobs that have ended, each with keys of its own; they have left the queue."""
    queue = redis_keys.rq_queue("tea-job")
    waiting = site.redis.llen(queue)
    for each in range(1000, 1000 + number):
        site.jobs.finish(begin(site, make_job(each)), "done")
    site.redis.ltrim(queue, 0, waiting - 1)


def look(site: Site) -> None:
    """What pages and a round of the reconciler read of jobs and plans."""
    site.fleet()
    site.jobs.waiting()
    site.consistency.jobs()
    site.consistency.requests()
    site.consistency.unplanned(REPOSITORY, {"main": TIP}, ["main"])
    site.consistency.forget(REPOSITORY, {"main": TIP})


def test_the_cost_of_a_look_does_not_grow_with_jobs_that_have_ended(site: Site) -> None:
    """The same commands after 300 more jobs, and no scan of the key space."""
    site.jobs.enqueue(make_job(1))
    begin(site, make_job(2))
    site.consistency.jobs()
    plan_to_end(site, REPOSITORY, TIP)
    before = commands(site, lambda: look(site))

    end_many(site, 300)

    assert before == commands(site, lambda: look(site))
    assert {"scan", "keys"}.isdisjoint(before)


def test_the_set_follows_every_move(site: Site) -> None:
    """Enqueued, claimed, given back: in it; done, failed, cancelled, parked: not in it."""
    jobs = {how: make_job(number) for number, how in enumerate(["done", "failed", "cancelled"])}
    claims = {how: begin(site, job) for how, job in jobs.items()}
    assert {job.id for job in jobs.values()} == members(site)

    site.jobs.retry_later(claims["done"], "the forge is away")
    assert jobs["done"].id in members(site)
    again = site.jobs.claim(jobs["done"].id, "w", "t")
    assert again is not None
    site.jobs.finish(again, "done")
    site.jobs.finish(claims["failed"], "failed", "why")
    site.jobs.cancel(jobs["cancelled"].id)
    assert {jobs["cancelled"].id} == members(site)
    site.jobs.release(claims["cancelled"])
    assert set() == members(site)


def test_a_needless_job_leaves_the_set(site: Site) -> None:
    """A newer push unsubscribes its branch, and no other waits for it."""
    site.jobs.enqueue(make_job(1))
    site.jobs.enqueue(make_job(2))
    site.recompute_requests(REPOSITORY, "main").cancel_jobs_except([make_job(2).id])
    assert {make_job(2).id} == members(site)


@pytest.mark.parametrize("lost", ["set", "both sets"])
def test_jobs_from_before_the_set_existed_are_found(site: Site, lost: str) -> None:
    """Redis lost the set, or an earlier version filled it: reading needs no set, a round makes it."""
    job, ended = make_job(1), make_job(2)
    site.jobs.enqueue(job)
    site.jobs.finish(begin(site, ended), "done")
    site.redis.delete(redis_keys.live_jobs())
    if lost == "both sets":
        site.redis.delete(redis_keys.known_jobs())

    assert [job.id] == list(site.jobs.live())
    assert not site.redis.exists(redis_keys.live_jobs()), "a page writes nothing"
    assert [ended.id] == site.jobs.ids_starting_with(ended.id[:8])

    assert {} == site.consistency.jobs()
    assert {job.id} == members(site)
    assert [job.id] == list(site.jobs.live())
    assert [ended.id] == site.jobs.ids_starting_with(ended.id[:8])
    assert not commands(site, site.jobs.live)["scan"]


def test_a_job_that_an_earlier_version_enqueued_beside_is_found(site: Site) -> None:
    """During an upgrade: the set is complete, and a planner that has no set enqueues a job."""
    site.consistency.jobs()
    job = make_job()
    site.jobs.enqueue(job)
    site.redis.srem(redis_keys.live_jobs(), job.id)
    site.redis.delete(redis_keys.rq_queue("tea-job"))
    assert {} == site.consistency.jobs()

    assert {} == site.consistency.unplanned(REPOSITORY, {"main": TIP}, ["main"])
    assert {job.id: "it was in no queue"} == site.consistency.jobs()


def test_a_job_whose_hash_is_lost_leaves_the_set(site: Site) -> None:
    """As one that an earlier version ended: a round removes it."""
    site.jobs.enqueue(make_job())
    site.redis.delete(redis_keys.job(make_job().id))
    assert {} == site.jobs.live()
    assert {} == site.consistency.jobs()
    assert set() == members(site)


def test_a_restored_copy_is_complete_in_itself(site: Site) -> None:
    """Jobs and set are of one moment; jobs that were lost since are lost in both."""
    job = make_job()
    site.jobs.enqueue(job)
    site.consistency.jobs()
    copy = {name: site.redis.dump(name) for name in site.redis.keys("*")}
    site.jobs.finish(begin(site, job), "done")
    site.redis.flushall()
    for name, value in copy.items():
        site.redis.restore(name, 0, value)
    assert [job.id] == list(site.jobs.live())
