"""Two versions at one Redis: messages of the former one are read, those of a newer one are left."""

from __future__ import annotations

import json
import os
import signal
import zlib
from pathlib import Path
from typing import Any

import pytest
from rq import Queue

from tea_runner.broker import redis_keys, rq_queues
from tea_runner.broker.connection import connect
from tea_runner.broker.redis_server import RedisServer
from tea_runner.broker.rq_consumer import QueueConsumer
from tea_runner.broker.rq_queues import JOB_QUEUES, PLAN_QUEUE, ListedJob, Serializer
from tea_runner.core.errors import NewerMessage
from tea_runner.core.planning.job import seal_job, unseal_job
from tea_runner.core.planning.message_version import VERSION
from tea_runner.wiring import Site
from tests.looking import make_job

#: As the version before messages had a number wrote them.
FORMER: dict[str, str] = json.loads(
    (Path(__file__).parent / "messages" / "before-versions.json").read_text()
)
SECRET = FORMER["secret"].encode()


def _consume(broker: RedisServer, kind: str, *, taken: list[str]) -> None:
    consumer = QueueConsumer(connect(broker.url, None), kind, taken.append, name=f"test-{kind}")
    consumer.run(burst=True)


def _put(site: Site, queue: str, data: bytes, name: str) -> None:
    """Put an item into a queue as another version wrote it."""
    made = Queue(queue, connection=site.redis, serializer=Serializer, job_class=ListedJob)
    made.enqueue_call("plan", args=("x",), job_id=name)
    site.redis.hset(f"rq:job:{name}", "data", data)


def _newer(kind: str, argument: str) -> bytes:
    return Serializer.dumps([kind, None, [argument], {"version": VERSION + 1}])


def test_a_job_of_the_former_version_is_read() -> None:
    """Its seal holds, and nothing of it is lost."""
    job = unseal_job(FORMER["job"], SECRET)
    assert ("lab/ds", "up", "container") == (job.repository, job.pipeline, job.needs)
    assert (("year", "2026"),) == job.variables
    assert 2 == len(job.datums)


def test_the_former_version_reads_a_job_of_this_one() -> None:
    """Body and seal are where it looks for them, and it knows each field of the body."""
    job = unseal_job(FORMER["job"], SECRET)
    now, then = json.loads(seal_job(job, SECRET)), json.loads(FORMER["job"])
    assert (then["body"], then["mac"]) == (now["body"], now["mac"])
    assert VERSION == now["version"]


@pytest.mark.parametrize("kind", ["plan", "job"])
def test_items_of_the_former_version_are_handled(
    site: Site, broker: RedisServer, kind: str
) -> None:
    """A plan request and a job that waited during the upgrade."""
    queue = PLAN_QUEUE if kind == "plan" else JOB_QUEUES["host"]
    data = FORMER[f"{kind} item"]
    _put(site, queue, data.encode(), f"{kind}-former")
    taken: list[str] = []
    _consume(broker, kind, taken=taken)
    assert json.loads(data)[2] == taken


def test_items_have_the_version_where_the_former_one_does_not_look(site: Site) -> None:
    """Its items had no named arguments, and it reads the positional ones only."""
    site.queues.enqueue("plan", "x")
    (name,) = site.redis.lrange(f"rq:queue:{PLAN_QUEUE}", 0, -1)
    data: Any = site.redis.hget(f"rq:job:{name.decode()}", "data")
    kind, _, arguments, named = json.loads(zlib.decompress(data))
    assert ("plan", ["x"], {"version": VERSION}) == (kind, arguments, named)


def test_an_item_of_a_newer_version_stays_for_a_newer_process(
    site: Site, broker: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This version handles what it knows meanwhile; the newer process gets the item as it was."""
    monkeypatch.setattr(rq_queues, "_LEFT_FOR", 0.01)
    _put(site, PLAN_QUEUE, _newer("plan", "later"), "plan-newer")
    for each in ("one", "two"):
        site.queues.enqueue("plan", each)
    taken: list[str] = []

    def take(argument: str) -> None:
        taken.append(argument)
        if argument == "two":
            os.kill(os.getpid(), signal.SIGTERM)

    QueueConsumer(connect(broker.url, None), "plan", take, name="older").run()
    assert ["one", "two"] == taken

    monkeypatch.setattr("tea_runner.core.planning.message_version.VERSION", VERSION + 1)
    _consume(broker, "plan", taken=taken)
    assert ["one", "two", "later"] == taken


def test_a_job_of_a_newer_version_waits_for_a_newer_worker(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is neither ended nor counted as an attempt."""
    job = make_job()
    site.jobs.enqueue(job)
    body = site.redis.hget(redis_keys.job(job.id), "body")
    assert body is not None
    newer = json.dumps({**json.loads(body), "version": VERSION + 1})
    site.redis.hset(redis_keys.job(job.id), "body", newer)

    assert site.jobs.claim(job.id, "w", "t") is None
    (record,) = site.jobs.facts([job.id]).values()
    assert ("waiting", 0) == (record.state, record.attempt)
    with pytest.raises(NewerMessage):
        unseal_job(newer, SECRET)

    monkeypatch.setattr("tea_runner.core.planning.message_version.VERSION", VERSION + 1)
    site.redis.hdel(redis_keys.job(job.id), "after")
    claim = site.jobs.claim(job.id, "newer", "t2")
    assert claim is not None
    assert (job, 1) == (claim.job, claim.attempt)
