"""A branch counts as planned only while all that its plan left in Redis is there."""

from __future__ import annotations

from tea_runner.broker import redis_keys
from tea_runner.wiring import Site
from tests.looking import REPOSITORY, begin, make_job

TIP = "1" * 40


def test_many_announcements_are_one_request(site: Site) -> None:
    """Until it is begun; a push that comes later is a request of its own."""
    for _ in range(5):
        site.plan_requests.request_plan("a/b", "refs/heads/main", why="push")
    assert 1 == site.queues.length("plan")
    site.plan_requests.begin("a/b", "main")
    site.plan_requests.request_plan("a/b", "refs/heads/main", why="push")
    assert 2 == site.queues.length("plan")


def test_a_plan_that_redis_forgot_meanwhile_counts_for_nothing(site: Site) -> None:
    """All was lost after its jobs were asked for: who came last has not its turn any more."""
    with site.plan_requests.lock(REPOSITORY, "main") as mine:
        site.jobs.enqueue(make_job())
        site.redis.flushall()
        assert not site.plan_requests.complete(
            REPOSITORY, "main", TIP, mine, commit_statuses_accepted=False, waits_for_jobs=True
        )
    assert [] == site.redis.keys("*")


def test_another_planner_has_the_say(site: Site) -> None:
    """One that was stopped for long ends its plan while another is at it."""
    with site.plan_requests.lock(REPOSITORY, "main") as mine:
        site.redis.delete(redis_keys.plan_lock(redis_keys.branch_id(REPOSITORY, "main")))
        with site.plan_requests.lock(REPOSITORY, "main") as others:
            assert not site.plan_requests.complete(REPOSITORY, "main", "2" * 40, mine)
            assert site.plan_requests.complete(REPOSITORY, "main", TIP, others)
    assert TIP == site.plan_requests.planned(REPOSITORY, "main")


def test_jobs_that_an_old_copy_does_not_know_are_missed(site: Site) -> None:
    """The turn is in the copy, the jobs are not; unless they have ended, which asks for a plan."""
    with site.plan_requests.lock(REPOSITORY, "main") as mine:
        assert not site.plan_requests.complete(REPOSITORY, "main", TIP, mine, waits_for_jobs=True)
        assert "" == site.plan_requests.planned(REPOSITORY, "main")

        job = make_job()
        site.jobs.enqueue(job)
        assert site.plan_requests.complete(REPOSITORY, "main", TIP, mine, waits_for_jobs=True)
        site.jobs.finish(begin(site, job), "done")
        assert site.plan_requests.complete(REPOSITORY, "main", TIP, mine, waits_for_jobs=True)
    assert TIP == site.plan_requests.planned(REPOSITORY, "main")
