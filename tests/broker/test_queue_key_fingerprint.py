"""Workers and planners of one server have the same key of the queue, and a job waits for one that has it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from tea_runner.broker.redis_server import RedisServer
from tea_runner.broker.workers_and_queues import Fleet, WorkerFacts
from tea_runner.cli.installation_checks import check_queue_key
from tea_runner.cli.main import cli
from tea_runner.core.errors import Refused
from tea_runner.wiring import Site
from tests.looking import make_job, make_site


@pytest.fixture
def other(broker: RedisServer, site: Site, tmp_path: Path) -> Iterator[Site]:
    """A host with the same Redis and a key of its own."""
    other = make_site(broker, tmp_path / "other")
    yield other
    other.redis.close()


def test_a_job_that_cannot_be_verified_goes_back_and_is_no_death(site: Site, other: Site) -> None:
    """However often a host without the key takes it, the right one runs it, as the first attempt."""
    job = make_job()
    site.jobs.enqueue(job)

    for _ in range(5):
        with pytest.raises(Refused, match="queue"):
            other.jobs.claim(job.id, "stranger", "theirs")
        assert "waiting" == site.jobs.facts([job.id])[job.id].state
        assert other.jobs.claim(job.id, "stranger", "theirs") is None, "it waits a while"
        site.jobs.set_fields(job.id, after="0")

    claim = site.jobs.claim(job.id, "worker", "token")
    assert claim is not None
    assert (job, 1) == (claim.job, claim.attempt)


def test_a_host_with_another_key_than_the_planners_has_a_problem(site: Site, other: Site) -> None:
    """It names the setting and says what to copy; without a planner, nothing is known."""
    assert ("", "") == (site.queue_key.problem(), other.queue_key.problem())

    site.queue_key.register(replace=False)

    assert "" == site.queue_key.problem()
    assert "redis.key_file" in other.queue_key.problem()


def test_a_second_planner_needs_the_key_of_the_first(site: Site, other: Site) -> None:
    """A new key takes its place only when no planner with the former one runs."""
    site.queue_key.register(replace=False)

    with pytest.raises(Refused, match="another key"):
        other.queue_key.register(replace=False)
    assert "" == site.queue_key.problem()

    other.queue_key.register(replace=True)
    assert "" == other.queue_key.problem()
    assert "" != site.queue_key.problem()


def test_a_planner_registers_its_key_again_after_redis_lost_it(site: Site, other: Site) -> None:
    """It does so before it takes the next plan request."""
    site.queue_key.register(replace=False)
    site.redis.flushall()

    assert "" == site.queue_key.keep()

    assert "" != other.queue_key.problem()
    assert "" != other.queue_key.keep()


def test_the_key_itself_is_not_in_redis(site: Site) -> None:
    """Nor half of it."""
    site.queue_key.register(replace=False)

    values = [site.redis.get(name) or b"" for name in site.redis.keys("*")]
    assert [] == [value for value in values if site.secret[:8] in value]


def test_check_compares_the_key(site: Site, other: Site) -> None:
    """An error for a worker that would do nothing, and a warning while no planner has run."""
    assert "warning" == check_queue_key(site.queue_key.state).state
    site.queue_key.register(replace=False)

    assert "ok" == check_queue_key(site.queue_key.state).state
    found = check_queue_key(other.queue_key.state)
    assert "error" == found.state
    assert "redis.key_file" in found.text


@pytest.mark.parametrize("verb", ["worker", "planner"])
def test_a_process_with_another_key_does_not_start(
    site: Site,
    broker: RedisServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    verb: str,
) -> None:
    """It names the setting and ends; the queue is untouched."""
    site.queue_key.register(replace=False)
    planner = WorkerFacts(name="planner-far-1", state="idle", kind="plan")
    monkeypatch.setattr(Site, "fleet", lambda _: Fleet(workers=(planner,), queues={}))
    job = make_job()
    site.jobs.enqueue(job)
    flags = ["-c", f"state={tmp_path / 'other'}", "-c", f"redis.url={broker.url}"]
    flags += ["-c", "sandbox.kind=off", "-c", "sandbox.require_cgroup=false"]

    env = {"PATH": os.environ["PATH"]}
    done = CliRunner().invoke(cli, [*flags, verb, "--burst"], env=env, standalone_mode=False)

    assert isinstance(done.exception, Refused)
    assert "redis.key_file" in done.exception.message
    assert "waiting" == site.jobs.facts([job.id])[job.id].state
    assert {job.id} == site.queues.queued("job")


def test_jobs_that_wait_while_the_key_is_replaced_are_planned_again(
    site: Site, other: Site
) -> None:
    """A worker with the new key ends each at its first look, and the next plan enqueues it anew."""
    jobs = [make_job(1), make_job(2)]
    for job in jobs:
        site.jobs.enqueue(job)
    other.queue_key.register(replace=True)

    assert other.jobs.claim(jobs[0].id, "worker", "token") is None

    assert "cancelled" == site.jobs.facts([jobs[0].id])[jobs[0].id].state
    assert {json.dumps([jobs[0].repository, "main"])} == site.queues.queued("plan")
    assert {} == other.jobs.failures(jobs[0].repository, [jobs[0].datums[0][1]])
    assert other.jobs.enqueue(jobs[0])
    claim = other.jobs.claim(jobs[0].id, "worker", "token")
    assert claim is not None
    assert (jobs[0], 1) == (claim.job, claim.attempt)
