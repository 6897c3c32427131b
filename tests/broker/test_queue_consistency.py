"""What contradicts itself in Redis is found, and what lives is not disturbed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from redis.exceptions import NoPermissionError

from tea_runner.broker import redis_keys
from tea_runner.broker.connection import connect
from tea_runner.broker.queue_consistency import QueueConsistency
from tea_runner.broker.redis_server import EvictionPolicy, RedisServer, check_policy
from tea_runner.core.errors import QueueError
from tea_runner.host import process
from tea_runner.wiring import Site
from tests.looking import REPOSITORY, make_job, plan_to_end, process_env

TIP = "1" * 40


@pytest.fixture
def lost(site: Site) -> QueueConsistency:
    """Looks at the site's Redis."""
    return QueueConsistency(site.redis, site.queues)


def empty(site: Site, queue: str) -> None:
    """The queue forgets; the jobs stay."""
    site.redis.delete(f"rq:queue:tea-{queue}")


def test_a_job_in_a_queue_or_with_a_worker_is_not_lost(site: Site, lost: QueueConsistency) -> None:
    """Waiting in the queue, then claimed: nothing to mend."""
    job = make_job()
    site.jobs.enqueue(job)
    assert {} == lost.jobs()

    empty(site, "job")
    assert site.jobs.claim(job.id, "worker", "token") is not None
    assert {} == lost.jobs()


def test_a_job_in_no_queue_is_found(site: Site, lost: QueueConsistency) -> None:
    """Its worker died between taking it from the queue and claiming it."""
    job = make_job()
    site.jobs.enqueue(job)
    empty(site, "job")

    assert {job.id: "it was in no queue"} == lost.jobs()
    lost.enqueue("job", job.id)
    assert {} == lost.jobs()


def test_a_job_whose_worker_is_silent_is_found(site: Site, lost: QueueConsistency) -> None:
    """Its lease ran out."""
    job = make_job()
    site.jobs.enqueue(job)
    empty(site, "job")
    site.jobs.claim(job.id, "worker", "token")
    site.redis.delete(redis_keys.lease(job.id))

    assert {job.id: "its worker is silent"} == lost.jobs()


def test_a_job_that_waits_for_its_next_try_is_not_lost(site: Site, lost: QueueConsistency) -> None:
    """Nobody may claim it before its time, and nobody queues it."""
    job = make_job()
    site.jobs.enqueue(job)
    empty(site, "job")
    claim = site.jobs.claim(job.id, "worker", "token")
    assert claim is not None
    site.jobs.retry_later(claim, "the forge is away", wait=60)

    assert {} == lost.jobs()
    assert site.jobs.claim(job.id, "another", "other token") is None
    site.redis.hset(redis_keys.job(job.id), "after", 1)
    assert {job.id: "it was in no queue"} == lost.jobs()
    again = site.jobs.claim(job.id, "another", "other token")
    assert again is not None
    assert (2, True) == (again.attempt, again.doubtful)


def test_a_plan_request_in_no_queue_is_found(site: Site, lost: QueueConsistency) -> None:
    """The mark is there, the piece of work is not."""
    site.plan_requests.request_plan(REPOSITORY, "refs/heads/main", why="push")
    assert [] == lost.requests()

    empty(site, "plan")
    assert [(REPOSITORY, "main")] == lost.requests()
    lost.enqueue("plan", json.dumps([REPOSITORY, "main"]))
    assert [] == lost.requests()


def test_the_end_of_the_last_job_keeps_a_plan_request_by_itself(
    site: Site, lost: QueueConsistency
) -> None:
    """Even when the worker dies before it can queue it."""
    job = make_job()
    site.jobs.enqueue(job)
    claim = site.jobs.claim(job.id, "worker", "token")
    assert claim is not None
    site.jobs.finish(claim, "done")
    empty(site, "plan")

    assert [(REPOSITORY, "main")] == lost.requests()


def test_a_planned_tip_is_left_alone(site: Site, lost: QueueConsistency) -> None:
    """Another tip, a planner that died, and a job that Redis forgot are reasons to plan."""
    tips = {"main": TIP}
    assert {"main": f"{TIP[:12]} was not planned"} == lost.unplanned(REPOSITORY, tips, ["main"])
    plan_to_end(site, REPOSITORY, TIP)
    assert {} == lost.unplanned(REPOSITORY, tips, ["main"])

    site.plan_requests.begin(REPOSITORY, "main")
    assert {"main": f"{TIP[:12]} was not planned"} == lost.unplanned(REPOSITORY, tips, ["main"])

    job = make_job()
    site.jobs.enqueue(job)
    plan_to_end(site, REPOSITORY, TIP)
    assert {} == lost.unplanned(REPOSITORY, tips, ["main"])
    site.redis.delete(redis_keys.job(job.id))
    assert {"main": "1 of its jobs were lost"} == lost.unplanned(REPOSITORY, tips, ["main"])


def unplanned(lost: QueueConsistency, annex: str) -> dict[str, str]:
    """Whether main is to be planned, while git-annex is there."""
    return lost.unplanned(REPOSITORY, {"main": TIP, "git-annex": annex}, ["main"])


def test_a_branch_without_content_is_planned_when_git_annex_moves(
    site: Site, lost: QueueConsistency
) -> None:
    """And when what was missing is forgotten, because content may come without a word."""
    site.jobs.record_missing(make_job(), "a", "1 of 1 files have no content")
    plan_to_end(site, REPOSITORY, TIP, missing_at={"a"})
    assert {} == unplanned(lost, "a")

    moved = unplanned(lost, "b")
    assert {"main": "its git-annex branch moved, so content may have come"} == {
        "main": moved["main"]
    }
    for name in site.redis.scan_iter(redis_keys.any_missing("*")):
        site.redis.delete(name)
    later = unplanned(lost, "a")
    assert {"main": "content that was missing may have come by now"} == later


def test_branches_whose_statuses_failed_are_told_again(site: Site, lost: QueueConsistency) -> None:
    """Once each: what fails again is noted again."""
    plan_to_end(site, REPOSITORY, TIP, commit_statuses_accepted=False)

    assert [(REPOSITORY, "main")] == lost.replan_failed_commit_statuses(10)
    assert [] == lost.replan_failed_commit_statuses(10)
    assert {json.dumps([REPOSITORY, "main"])} == site.queues.queued("plan")
    assert [] == lost.requests()


def test_a_redis_that_is_away_is_an_error_that_is_known(site: Site) -> None:
    """The reconciler says so and goes on."""
    away = QueueConsistency(connect("unix:///nonexistent/redis.sock"), site.queues)

    with pytest.raises(QueueError, match="Redis does not answer"):
        away.jobs()


def test_a_redis_that_begins_to_evict_is_noticed(broker: RedisServer, site: Site) -> None:
    """The question is asked again and again; the answer names the setting."""
    policy = EvictionPolicy(site.redis, every=0.0)
    assert "" == policy.problem()
    site.redis.config_set("maxmemory-policy", "allkeys-lru")
    try:
        assert "set maxmemory-policy noeviction" in policy.problem()
    finally:
        site.redis.config_set("maxmemory-policy", "noeviction")


def test_a_redis_that_forbids_config_is_asked_all_the_same(broker: RedisServer, site: Site) -> None:
    """Who may not read settings still learns that keys are evicted."""
    site.redis.execute_command(
        "ACL", "SETUSER", "guest", "on", ">word", "~*", "&*", "+@all", "-config"
    )
    guest = connect(broker.url.replace("unix://", "unix://guest:word@"))
    try:
        with pytest.raises(NoPermissionError):
            guest.config_get("maxmemory-policy")
        assert check_policy(guest) is None
        site.redis.config_set("maxmemory-policy", "volatile-lru")
        assert "maxmemory-policy volatile-lru" in (check_policy(guest) or "")
    finally:
        site.redis.config_set("maxmemory-policy", "noeviction")
        site.redis.execute_command("ACL", "DELUSER", "guest")
        guest.close()


@pytest.mark.parametrize("role", ["planner", "worker"])
def test_nothing_works_on_a_redis_that_evicts(
    broker: RedisServer, site: Site, tmp_path: Path, role: str
) -> None:
    """The process ends at once, and its only line says what to set."""
    site.redis.config_set("maxmemory-policy", "allkeys-lru")
    env = process_env(broker, tmp_path)
    try:
        ended = process.run([sys.executable, "-m", "tea_runner", role], env=env, check=False)
    finally:
        site.redis.config_set("maxmemory-policy", "noeviction")
    said = ended.stderr.decode()
    assert ended.returncode not in (0, None)
    assert "set maxmemory-policy noeviction" in said
    assert 1 == len(said.splitlines()), said
