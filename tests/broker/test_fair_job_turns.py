"""Turns of repositories: with many jobs waiting, each repository's next job is as near as any other's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from tea_runner.broker import redis_keys
from tea_runner.broker.connection import connect
from tea_runner.broker.queue_consistency import QueueConsistency
from tea_runner.broker.redis_server import RedisServer
from tea_runner.broker.rq_consumer import QueueConsumer
from tea_runner.broker.rq_queues import Queues
from tea_runner.core.planning.job import Job
from tea_runner.core.repository_priority import parse_priorities
from tea_runner.wiring import Site
from tests.looking import REPOSITORY, make_job

OTHER = "lab/other"


def of(repository: str, number: int, needs: str = "host") -> Job:
    """A job of a repository."""
    return replace(make_job(number), repository=repository, needs=needs)


def enqueue(site: Site, repository: str, number: int, needs: str = "host") -> list[str]:
    """Enqueue so many jobs of a repository; returns their ids."""
    jobs = [of(repository, each, needs) for each in range(number)]
    for job in jobs:
        site.jobs.enqueue(job)
    return [job.id for job in jobs]


@pytest.fixture
def consume(site: Site, broker: RedisServer) -> Callable[..., list[str]]:
    """Claims and ends the jobs of some queues until they are empty; returns the repositories' turns."""

    def run(*needs: str, most: int = 10_000) -> list[str]:
        seen: list[str] = []

        def handler(job_id: str) -> None:
            claim = site.jobs.claim(job_id, "worker", f"token {len(seen)}")
            if claim is not None:
                seen.append(claim.job.repository)
                site.jobs.finish(claim, "done")
            if len(seen) == most:
                consumer.stop()

        connection = connect(broker.url, None)
        offered = needs or ("host",)
        consumer = QueueConsumer(connection, "job", handler, name="one", needs=lambda: offered)
        consumer.run(burst=True)
        connection.close()
        return seen

    return run


@pytest.mark.long
def test_a_repository_with_2000_jobs_lets_another_have_its_turn(
    site: Site, consume: Callable[..., list[str]]
) -> None:
    """The other's jobs, queued last, are every second one until they are done; nothing is lost."""
    enqueue(site, REPOSITORY, 2000)
    enqueue(site, OTHER, 3)

    seen = consume()

    assert [1, 3, 5] == [turn for turn, name in enumerate(seen) if name == OTHER]
    assert 2003 == len(seen)


def test_one_turn_costs_the_same_with_few_and_many_repositories(site: Site) -> None:
    """The commands of one turn do not grow with the repositories that wait."""

    def commands() -> int:
        before = site.redis.info("commandstats")
        site.queues.take_turn("0" * 32)
        after = site.redis.info("commandstats")
        names = [name for name in after if name not in ("cmdstat_info", "cmdstat_script|load")]
        return sum(after[name]["calls"] - before.get(name, {"calls": 0})["calls"] for name in names)

    enqueue(site, REPOSITORY, 9)
    commands()
    few = commands()
    for number in range(200):
        enqueue(site, f"lab/many{number}", 2)
    assert few == commands()


def test_jobs_for_a_container_are_not_in_the_queue_of_the_host(
    site: Site, consume: Callable[..., list[str]]
) -> None:
    """A worker without an engine takes none of them, in spite of its turns; one with an engine takes all."""
    [image] = enqueue(site, REPOSITORY, 1, "container")
    enqueue(site, OTHER, 2)

    assert [OTHER, OTHER] == consume("host")
    assert [image] == list(site.jobs.waiting())
    assert [REPOSITORY] == consume("host", "container")


def test_a_worker_with_two_environments_takes_turns_between_them(
    site: Site, consume: Callable[..., list[str]]
) -> None:
    """Neither queue makes the other wait."""
    enqueue(site, REPOSITORY, 50)
    enqueue(site, OTHER, 3, "container")

    seen = consume("host", "container")

    assert 53 == len(seen)
    assert max(turn for turn, name in enumerate(seen) if name == OTHER) < 8


def test_a_ticket_of_a_former_planner_leads_to_its_own_job(
    site: Site, consume: Callable[..., list[str]]
) -> None:
    """Where no repository is in line, the job that the item names is taken."""
    job = make_job()
    site.jobs.enqueue(job)
    site.redis.delete(redis_keys.turns("host"), redis_keys.line("host", job.repository))
    site.redis.hdel(redis_keys.job(job.id), "needs", "repository")

    assert [job.repository] == consume()


@pytest.mark.parametrize("lost", ["turns", "line", "item", "turn"])
def test_whatever_is_lost_of_a_line_each_job_is_done(
    site: Site, consume: Callable[..., list[str]], lost: str
) -> None:
    """The reconciler finds what is in no queue, and nothing is done twice."""
    enqueue(site, REPOSITORY, 5)
    enqueue(site, OTHER, 5)
    match lost:
        case "turns":
            site.redis.delete(redis_keys.turns("host"))
        case "line":
            site.redis.delete(redis_keys.line("host", OTHER))
        case "item":
            site.redis.ltrim(redis_keys.rq_queue("tea-job"), 4, -1)
        case "turn":
            # The worker died between its turn and its claim.
            site.redis.lpop(redis_keys.rq_queue("tea-job"))
            site.queues.take_turn("0" * 32)
    consistency = QueueConsistency(site.redis, Queues(site.redis))

    seen = consume()
    for _ in range(3):
        for job in consistency.jobs():
            consistency.enqueue("job", job)
        seen += consume()

    assert {REPOSITORY: 5, OTHER: 5} == {name: seen.count(name) for name in (REPOSITORY, OTHER)}
    assert {} == consistency.jobs()


def test_jobs_in_line_are_not_lost(site: Site) -> None:
    """Nothing is found of jobs that wait, one of which another's ticket has led to."""
    enqueue(site, REPOSITORY, 2)
    enqueue(site, OTHER, 2)
    consistency = QueueConsistency(site.redis, Queues(site.redis))
    assert {} == consistency.jobs()

    item = site.redis.lpop(redis_keys.rq_queue("tea-job"))
    assert item is not None
    first = site.queues.take_turn("0" * 32)
    assert site.jobs.claim(first, "worker", "token") is not None
    item = site.redis.lpop(redis_keys.rq_queue("tea-job"))
    second = site.queues.take_turn("0" * 32)
    assert site.jobs.claim(second, "worker", "token") is not None
    assert {} == consistency.jobs()


def test_a_job_that_waits_for_its_next_try_leaves_the_line(
    site: Site, consume: Callable[..., list[str]]
) -> None:
    """Another job of the repository has its turn instead."""
    first, _ = enqueue(site, REPOSITORY, 2)
    claim = site.jobs.claim(first, "worker", "token")
    assert claim is not None
    site.jobs.retry_later(claim, "the forge is away", wait=60)

    assert [REPOSITORY] == consume()
    assert [first] == site.jobs.waiting()


def turns_of(site: Site, rules: Sequence[str], most: int) -> list[str]:
    """Repositories of the next jobs; each job is claimed and ends."""
    queues, seen = Queues(site.redis, parse_priorities(rules)), []
    for number in range(most):
        claim = site.jobs.claim(queues.take_turn("0" * 32), "worker", f"token {number}")
        if claim is None:
            break
        seen.append(claim.job.repository)
        site.jobs.finish(claim, "done")
    return seen


@pytest.mark.parametrize(
    ("rules", "share"),
    [((), 1), (("lab/urgent=4",), 4), (("lab/u*=4", "lab/urgent=9"), 4), (("lab/u=4",), 1)],
)
def test_a_preferred_repository_has_more_turns(
    site: Site, rules: Sequence[str], share: int
) -> None:
    """As many more as the first rule that matches says; each other one has as many as before."""
    enqueue(site, "lab/urgent", 60)
    others = [f"lab/other{number}" for number in range(8)]
    for name in others:
        enqueue(site, name, 8)
    seen = turns_of(site, rules, 5 * (8 + share))
    counts = {name: seen.count(name) for name in ("lab/urgent", *others)}
    assert abs(counts.pop("lab/urgent") - 5 * share) <= share
    assert all(abs(count - 5) <= 1 for count in counts.values())


def test_no_repository_waits_for_ever(site: Site) -> None:
    """Beside the most preferred ones that there can be, and alone with one of them."""
    enqueue(site, "lab/urgent", 700)
    enqueue(site, OTHER, 2)
    seen = turns_of(site, ["lab/urgent=100"], 702)
    assert {"lab/urgent": 700, OTHER: 2} == {name: seen.count(name) for name in set(seen)}
    assert seen.index(OTHER) < 110
    assert len(seen) - seen[::-1].index(OTHER) < 600


def ids_taken(site: Site, most: int = 10_000) -> list[str]:
    """Ids of the next jobs; each is claimed and ends."""
    taken: list[str] = []
    while len(taken) < most:
        claim = site.jobs.claim(site.queues.take_turn("0" * 32), "worker", f"token {len(taken)}")
        if claim is None:
            break
        taken.append(claim.job.id)
        site.jobs.finish(claim, "done")
    return taken


def test_a_pipeline_with_a_priority_goes_before_others_of_its_repository(site: Site) -> None:
    """At a quarter of the way; jobs of other repositories keep their turns."""
    usual = enqueue(site, REPOSITORY, 40)
    enqueue(site, OTHER, 45)
    urgent = of(REPOSITORY, 99)
    site.jobs.enqueue(urgent, priority=4)
    taken = ids_taken(site)
    own = [job for job in taken if job in {*usual, urgent.id}]
    assert 10 <= own.index(urgent.id) <= 11
    assert [job for job in own if job != urgent.id] == usual
    assert taken.index(urgent.id) in range(20, 24)


def test_a_pipeline_without_priority_does_not_wait_for_ever(site: Site) -> None:
    """Beside one of the highest priority that gets a new job for each that has ended."""
    [patient] = enqueue(site, REPOSITORY, 1)
    for number in range(50):
        site.jobs.enqueue(of(REPOSITORY, 1000 + number), priority=100)
    for number in range(3000):
        if patient in ids_taken(site, 1):
            break
        site.jobs.enqueue(of(REPOSITORY, 2000 + number), priority=100)
    else:
        pytest.fail("the job waited for 3,000 others")


@pytest.mark.long
def test_500_repositories_beside_one_with_100000_datums(site: Site) -> None:
    """In jobs of 50 datums: each other repository begins in the first round, and ends in its second.

    A preferred repository whose place is near the end gets some turns in a row, so rounds are a bit longer.
    """
    enqueue(site, REPOSITORY, 2000)
    for number in range(499):
        enqueue(site, f"lab/small{number}", 2)
    seen = turns_of(site, [f"{REPOSITORY}=8"], 2998)
    assert 2998 == len(seen)
    small = [f"lab/small{number}" for number in range(499)]
    where = {name: [turn for turn, each in enumerate(seen) if each == name] for name in small}
    assert max(first for first, _ in where.values()) < 499 + 100
    assert max(second for _, second in where.values()) < 2 * 499 + 100
    # The large one has its share meanwhile, and all of the turns afterwards.
    assert 8 <= seen[:499].count(REPOSITORY) <= 24
    assert {REPOSITORY} == set(seen[2 * 499 + 100 :])
