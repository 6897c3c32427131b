"""Workers and queues as RQ notes them, read without a trace."""

from __future__ import annotations

import socket
from dataclasses import replace

from rq import Queue, SimpleWorker

from tea_runner.broker.live_processes import ProcessFacts
from tea_runner.broker.rq_queues import JOB_QUEUES
from tea_runner.cli.installation_checks import check_fleet
from tea_runner.core.planning.run_status import Lack
from tea_runner.wiring import Site
from tests.looking import begin, make_job


def test_an_empty_redis_has_no_workers(site: Site) -> None:
    """Nothing there is an answer, too."""
    fleet = site.fleet()
    assert () == fleet.workers
    assert {"plan": 0, "job": 0} == fleet.queues
    assert fleet.oldest == 0.0


def test_a_worker_is_seen_from_its_birth_to_its_death(site: Site) -> None:
    """Name, host and kind come from RQ's own notes; looking writes nothing."""
    queue = Queue(JOB_QUEUES["host"], connection=site.redis)
    worker = SimpleWorker([queue], name="worker-here-1", connection=site.redis)
    worker.register_birth()
    worker.set_state("idle")
    before = sorted(site.redis.keys())
    [seen] = site.fleet().workers
    assert before == sorted(site.redis.keys())
    assert (seen.name, seen.kind, seen.state) == ("worker-here-1", "job", "idle")
    assert seen.host == socket.gethostname()
    assert seen.since > 1.6e9
    worker.register_death()
    assert () == site.fleet().workers


def test_a_job_says_who_is_at_it(site: Site) -> None:
    """A worker whose notes have expired is busy as long as its job runs."""
    job, other = make_job(1), make_job(2)
    begin(site, job)
    site.jobs.enqueue(other)
    fleet = site.fleet()
    [worker] = fleet.workers
    assert worker.job == job.id
    assert worker.state == "busy"
    assert {"plan": 0, "job": 2} == fleet.queues
    assert fleet.oldest > 1.6e9


def test_a_worker_that_is_not_heard_of_is_silent(site: Site) -> None:
    """A name without notes and without a job is shown as such."""
    site.redis.sadd("rq:workers", "rq:worker:gone\udc80".encode("utf-8", "surrogateescape"))
    [worker] = site.fleet().workers
    assert worker.state == "silent"


def test_a_worker_with_a_long_job_is_seen_although_its_notes_have_expired(site: Site) -> None:
    """Its own row says what it takes; jobs that it cannot do are counted with what is lacking."""
    row = ProcessFacts(name="worker-here-2", kind="job", host="here", pid="7", offers=("host",))
    site.processes.beat(row)
    site.jobs.enqueue(replace(make_job(), needs="container"))

    fleet = site.fleet()

    [worker] = fleet.workers
    assert ("idle", "job", "here", ("host",)) == (
        worker.state,
        worker.kind,
        worker.host,
        worker.offers,
    )
    assert (Lack(reason="no worker offers docker or podman", jobs=1),) == fleet.lacking
    found = [(each.name, each.text) for each in check_fleet(lambda: fleet)]
    assert ("jobs", "1 wait: no worker offers docker or podman") in found
