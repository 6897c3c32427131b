"""Limits of running jobs: of a repository, and of all repositories of an owner together."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from tea_runner.broker import redis_keys
from tea_runner.broker.connection import connect
from tea_runner.broker.job_store import Claim
from tea_runner.broker.queue_consistency import QueueConsistency
from tea_runner.broker.redis_server import RedisServer
from tea_runner.broker.rq_consumer import QueueConsumer
from tea_runner.broker.rq_queues import ListedJob, Queues, Serializer
from tea_runner.core.planning.job import Job
from tea_runner.core.repository_priority import parse_priorities
from tea_runner.core.running_limit import parse_limits
from tea_runner.wiring import Site
from tests.looking import make_job


def enqueue(site: Site, repository: str, number: int, needs: str = "host") -> list[Job]:
    """Enqueue so many jobs of a repository."""
    jobs = [
        replace(make_job(each), repository=repository, needs=needs)  # type: ignore[arg-type]
        for each in range(number)
    ]
    for job in jobs:
        site.jobs.enqueue(job)
    return jobs


@dataclass
class Fleet:
    """Workers that take items from a queue as consumers do, and whose jobs end when the test says so."""

    site: Site
    rules: list[str]
    workers: int = 10
    priorities: list[str] = field(default_factory=list)
    queue: str = "tea-job"

    def __post_init__(self) -> None:
        self.queues = Queues(
            self.site.redis, parse_priorities(self.priorities), parse_limits(self.rules)
        )
        self.running: list[Claim] = []
        self.started: list[str] = []
        #: Most jobs that ran at once, by repository and by owner.
        self.most: Counter[str] = Counter()

    def fill(self) -> None:
        """Let each idle worker take an item, as long as there are any."""
        while len(self.running) < self.workers:
            item: Any = self.site.redis.lpop(redis_keys.rq_queue(self.queue))
            if item is None:
                return
            found = self.queues.take_turn(self._argument(item))
            if not found:
                continue
            claim = self.site.jobs.claim(found, "worker", f"token {len(self.started)}")
            if claim is None:
                self.queues.end_turn(found)
                continue
            self.running.append(claim)
            self.started.append(claim.job.repository)
            now = Counter(each.job.repository for each in self.running)
            now += Counter(each.job.repository.split("/")[0] for each in self.running)
            self.most |= now

    def _argument(self, item: bytes) -> str:
        redis = self.site.redis
        listed = ListedJob.fetch(item.decode(), connection=redis, serializer=Serializer)
        return str(listed.argument())

    def end(self, number: int = 0) -> None:
        """End one of the running jobs."""
        claim = self.running.pop(number)
        self.site.jobs.finish(claim, "done")
        self.queues.end_turn(claim.job.id)

    def work(self) -> None:
        """Work until nothing starts any more."""
        self.fill()
        while self.running:
            self.end()
            self.fill()


@pytest.mark.parametrize("rule", ["lab/big=3", "lab/b*=3", "*/*=3", "lab=3", "*=3"])
def test_no_more_jobs_of_a_repository_run_than_may(site: Site, rule: str) -> None:
    """The others have the workers, and all of its jobs are done in the end, without the reconciler."""
    enqueue(site, "lab/big", 40)
    enqueue(site, "guest/a", 2)
    enqueue(site, "club/b", 2)
    fleet = Fleet(site, [rule])
    fleet.fill()
    assert 3 == len([each for each in fleet.running if each.job.repository == "lab/big"])
    assert {"guest/a", "club/b"} < set(fleet.started)

    fleet.work()

    assert 3 == fleet.most["lab/big"]
    assert {"lab/big": 40, "guest/a": 2, "club/b": 2} == Counter(fleet.started)


def test_repositories_of_one_owner_share_its_limit_in_turns(site: Site) -> None:
    """Each begins within the first round of the owner, whatever another one of it has."""
    enqueue(site, "lab/big", 30)
    for number in range(6):
        enqueue(site, f"lab/small{number}", 2)
    fleet = Fleet(site, ["lab=4"])
    fleet.work()
    assert 4 == fleet.most["lab"]
    assert 42 == len(fleet.started)
    small = [turn for turn, name in enumerate(fleet.started) if name != "lab/big"]
    assert max(small) < 18


def test_both_limits_hold(site: Site) -> None:
    """A repository that may start no more lets another of its owner have the place."""
    enqueue(site, "lab/big", 20)
    enqueue(site, "lab/other", 20)
    fleet = Fleet(site, ["lab/big=1", "lab=4"])
    fleet.fill()
    assert {"lab/big": 1, "lab/other": 3} == Counter(fleet.started)
    fleet.work()
    assert (1, 4) == (fleet.most["lab/big"], fleet.most["lab"])
    assert 40 == len(fleet.started)


def test_the_first_rule_of_each_kind_counts(site: Site) -> None:
    """An exception precedes the rule for all."""
    enqueue(site, "lab/big", 9)
    enqueue(site, "lab/urgent", 9)
    fleet = Fleet(site, ["lab/urgent=5", "*/*=2"])
    fleet.work()
    assert (2, 5) == (fleet.most["lab/big"], fleet.most["lab/urgent"])


def test_jobs_of_all_needs_count_together(site: Site) -> None:
    """A job with an image and one without are two; the one that waits starts when the other has ended."""
    enqueue(site, "lab/big", 2)
    enqueue(site, "lab/big", 3, "container")
    host = Fleet(site, ["lab/big=2"])
    host.fill()
    container = Fleet(site, ["lab/big=2"], queue="tea-job-container")
    container.fill()
    assert (2, 0) == (len(host.running), len(container.running))
    host.end()
    container.fill()
    assert 1 == len(container.running)


def test_a_job_of_a_killed_worker_does_not_count(site: Site) -> None:
    """Its lease has run out: the reconciler queues it, and the jobs that waited for its end go on."""
    enqueue(site, "lab/big", 5)
    fleet = Fleet(site, ["lab/big=1"])
    fleet.fill()
    [claim] = fleet.running
    consistency = QueueConsistency(site.redis, Queues(site.redis))
    assert {} == consistency.jobs()

    fleet.running.clear()
    site.redis.delete(redis_keys.lease(claim.job.id))
    site.redis.zadd(redis_keys.running_jobs("lab/big"), {claim.job.id: 1.0})
    for job in consistency.jobs():
        consistency.enqueue("job", job)
    fleet.work()

    assert 1 == fleet.most["lab/big"]
    assert 6 == len(fleet.started)
    assert [] == site.jobs.waiting()


@pytest.mark.parametrize("lost", ["held", "running-jobs", "turns", "line"])
def test_whatever_is_lost_each_job_is_done(site: Site, lost: str) -> None:
    """The reconciler finds what no item leads to."""
    enqueue(site, "lab/big", 8)
    fleet = Fleet(site, ["lab/big=2"])
    fleet.fill()
    for name in site.redis.scan_iter(f"tea:{lost}:*"):
        site.redis.delete(name)
    fleet.work()
    consistency = QueueConsistency(site.redis, Queues(site.redis))
    for _ in range(3):
        for job in consistency.jobs():
            consistency.enqueue("job", job)
        fleet.work()
    assert 8 == len(fleet.started)


def test_a_turn_costs_the_same_however_many_repositories_are_held_back(site: Site) -> None:
    """Once they were seen to wait, no turn looks at them again."""
    for number in range(200):
        enqueue(site, f"lab/many{number}", 1)
    fleet = Fleet(site, ["lab=1", "club=1"], workers=2)
    fleet.fill()

    def commands() -> int:
        before = site.redis.info("commandstats")
        fleet.queues.take_turn("0" * 32)
        after = site.redis.info("commandstats")
        names = [name for name in after if name not in ("cmdstat_info", "cmdstat_script|load")]
        return sum(after[name]["calls"] - before.get(name, {"calls": 0})["calls"] for name in names)

    enqueue(site, "club/a", 3)
    assert commands() < 40


def test_a_consumer_keeps_the_limits_of_the_settings(site: Site, broker: RedisServer) -> None:
    """Two consumers beside one another, whose handler sees how many run."""
    enqueue(site, "lab/big", 6)
    seen: list[int] = []
    other = connect(broker.url, None)

    def inner(job_id: str) -> None:
        seen.append(-1)
        claim = site.jobs.claim(job_id, "two", "token two")
        assert claim is not None
        site.jobs.finish(claim, "done")

    def handler(job_id: str) -> None:
        claim = site.jobs.claim(job_id, "one", f"token {len(seen)}")
        assert claim is not None
        if not seen:
            # While this job runs, another worker finds nothing to do.
            QueueConsumer(other, "job", inner, name="two", limits=["lab/big=1"]).run(burst=True)
            assert [] == seen
        seen.append(1)
        site.jobs.finish(claim, "done")

    consumer = QueueConsumer(
        connect(broker.url, None), "job", handler, name="one", limits=["lab/big=1"]
    )
    consumer.run(burst=True)
    other.close()
    assert [1] * 6 == seen


@pytest.mark.long
def test_500_repositories_of_60_owners_with_limits(site: Site) -> None:
    """One with 2,000 jobs beside them: no limit is exceeded, nothing starves, and no worker is idle."""
    enqueue(site, "lab/big", 2000)
    names = [f"owner{number % 60}/small{number}" for number in range(499)]
    for name in names:
        enqueue(site, name, 2)
    fleet = Fleet(site, ["lab/big=8", "*/*=4", "lab=10", "*=6"], workers=32, priorities=["lab/*=8"])
    fleet.fill()
    idle = 0
    while fleet.running:
        fleet.end()
        fleet.fill()
        left = len(fleet.started) < 2998
        idle += left and len(fleet.running) < 8
    assert 2998 == len(fleet.started)
    assert 0 == idle
    assert 8 == fleet.most["lab/big"]
    assert max(fleet.most[f"owner{number}"] for number in range(60)) <= 6
    where = {name: fleet.started.index(name) for name in names}
    assert max(where.values()) < 499 + 100 * 8
