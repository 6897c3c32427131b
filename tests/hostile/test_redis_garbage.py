"""Whoever writes to Redis writes garbage under every key: readers answer, or raise the error of the queue."""

from __future__ import annotations

import hashlib
import inspect
import json
import logging
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

from tea_runner.broker import redis_keys
from tea_runner.broker.queue_consistency import QueueConsistency
from tea_runner.broker.rq_queues import Queues
from tea_runner.core.errors import NotFound, QueueError
from tea_runner.wiring import Site
from tests.broker.test_port_errors import CONTRACT, JOB, RUN, SILENT, call, job_store, rows
from tests.hostile.forge import HostileForge
from tests.hostile.forge import edges_forge as forge
from tests.looking import REPOSITORY, broker, site
from tests.web.browser import make_client
from workers.reconciler import Reconciler

__all__ = ["broker", "forge", "site"]

_BRANCH = redis_keys.branch_id(REPOSITORY, "main")
#: What each part of a key's name is in these tests.
_PARTS = {
    "digest": hashlib.sha256(b"id").hexdigest(),
    "job_id": JOB.id,
    "branch": _BRANCH,
    "namespace": REPOSITORY,
    "repository": REPOSITORY,
    "key": "key",
    "request": "request",
    "pipeline": "edges",
    "run_id": RUN.id,
    "commit": "1" * 40,
    "needs": "host",
    "scope": REPOSITORY,
    "question_id": "1" * 32,
    "account": "ada",
}
_TEXTS = (
    b"\xff\xfe\x00",
    b"null",
    b'{"jobs": 7, "pipelines": [null], "main": []}',
    b'[["x"], 1, {}]',
    b"9" * 5000,
    b"[" * 12_000,
)


def _string(to: redis.client.Pipeline, name: str, text: bytes) -> None:
    to.set(name, text)


def _hash(to: redis.client.Pipeline, name: str, text: bytes) -> None:
    fields = ("state", "body", "attempts", "worker", "error", "main", _BRANCH, "inputs", "edges")
    times = ("enqueued", "started", "ended", "seconds", "datums", "accepted", "context", "key")
    to.hset(name, mapping=dict.fromkeys((*fields, *times, text), text))


def _list(to: redis.client.Pipeline, name: str, text: bytes) -> None:
    to.rpush(name, text, b"x")


def _set(to: redis.client.Pipeline, name: str, text: bytes) -> None:
    to.sadd(name, text, JOB.id, _BRANCH)


def _sorted(to: redis.client.Pipeline, name: str, text: bytes) -> None:
    scores: Any = {text: float("inf"), JOB.id: -1e300, RUN.id: 1.0}
    to.zadd(name, scores)


_Put = Callable[[redis.client.Pipeline, str, bytes], None]
#: Every other type is wrong for most keys in the same way.
_QUICK: tuple[_Put, ...] = (_string, _hash)
_TYPES = [
    *_QUICK,
    *(pytest.param(put, marks=pytest.mark.long) for put in (_list, _set, _sorted)),
]
_each_type = pytest.mark.parametrize("put", _TYPES, ids=lambda put: put.__name__[1:])


def _names() -> Iterator[str]:
    """A key of each family and those of RQ, but for locks: one that is there is held, and waited for."""
    for name, family in redis_keys.FAMILIES.items():
        if not name.endswith("lock"):
            parts = inspect.signature(family.suffix).parameters
            yield getattr(redis_keys, name)(*(_PARTS[part] for part in parts))
    yield from (
        redis_keys.rq_queue("tea-job"),
        redis_keys.rq_queue("tea-plan"),
        "rq:job:x",
        "rq:workers",
    )


def _fill(to: redis.Redis, put: _Put, text: bytes) -> None:
    """Write the text under every key, as a value of this type."""
    pipe = to.pipeline(transaction=True)
    pipe.flushall()
    for name in _names():
        put(pipe, name, text)
    pipe.execute()


@_each_type
@pytest.mark.parametrize(
    ("make", "name", "arguments"),
    # A count is sent later, by a thread of its own; "counts" sends too.
    [row for row in rows(CONTRACT) + rows(SILENT) if row.id != "DeliveryCounts.count"],
)
def test_garbage_is_a_queue_error_or_no_error(
    site: Site,
    put: _Put,
    make: Callable[[redis.Redis], Any],
    name: str,
    arguments: tuple[Any, ...],
) -> None:
    """No class of the broker raises anything else, whatever is in Redis."""
    wrong = []
    for text in _TEXTS:
        _fill(site.redis, put, text)
        try:
            call(make(site.redis), name, arguments)
        except (QueueError, NotFound):
            pass
        except Exception as error:
            wrong.append(f"{text[:20]!r}: {type(error).__name__}: {error}"[:200])
    assert [] == wrong


@_each_type
@pytest.mark.parametrize("text", _TEXTS[:4], ids=lambda text: repr(text[:10]))
def test_no_process_ends_by_garbage(forge: HostileForge, put: _Put, text: bytes) -> None:
    """Planner, worker, reconciler and pages answer; the handlers' only error is that of the queue."""
    items: dict[str, Callable[[], object]] = {
        "planner": lambda: forge.planner(json.dumps([REPOSITORY, "main"])),
        "worker": lambda: forge.worker(JOB.id),
        "reconciler": Reconciler(forge.site).round,
    }
    wrong = []
    for who, handle in items.items():
        _fill(forge.site.redis, put, text)
        try:
            handle()
        except QueueError:
            pass
        except Exception as error:
            wrong.append(f"{who}: {type(error).__name__}: {error}"[:300])
    _fill(forge.site.redis, put, text)
    client = make_client(forge.site)
    for page in ("/", "/workers", f"/runs/{RUN.id}", f"/jobs/{JOB.id}", f"/{REPOSITORY}"):
        wrong += [page + end for end in ("", ".json") if client.get(page + end).status_code == 500]
    if client.get("/metrics").status_code == 500:
        wrong.append("/metrics")
    assert [] == wrong


def test_one_job_with_a_malformed_time_does_not_hide_lost_ones(site: Site) -> None:
    """It counts as due, so the reconciler puts it into the queue, beside the others."""
    job_store(site.redis).enqueue(JOB)
    site.redis.hset(redis_keys.job(JOB.id), "after", "soon")
    site.redis.delete(redis_keys.rq_queue("tea-job"))
    found = QueueConsistency(site.redis, Queues(site.redis)).jobs()
    assert {JOB.id: "it was in no queue"} == found


def test_a_job_with_malformed_times_is_claimed(site: Site) -> None:
    """Its times count as long ago; otherwise it would wait for ever."""
    jobs = job_store(site.redis)
    jobs.enqueue(JOB)
    site.redis.hset(redis_keys.job(JOB.id), mapping={"after": "soon", "born": "then"})
    claim = jobs.claim(JOB.id, "worker", "token")
    assert claim is not None
    assert 1 == claim.attempt


@pytest.mark.parametrize("text", [b"null", b"7", b"{", b"\xff", b'{"x": 1}', b"[" * 100_000])
def test_a_malformed_record_of_missing_content_is_planned_again(site: Site, text: bytes) -> None:
    """The plan writes a new one."""
    site.redis.hset(redis_keys.planned(REPOSITORY), "main", "1" * 40)
    site.redis.hset(redis_keys.missing_content(), _BRANCH, text)
    found = QueueConsistency(site.redis, Queues(site.redis)).unplanned(
        REPOSITORY, {"main": "1" * 40, "git-annex": "2" * 40}, ["main"]
    )
    assert ["main"] == list(found)


@pytest.mark.parametrize("text", [b"null", b"7", b"[]", b'[["a"], "b"]', b"[[1, 2], 3]", b"\xff"])
def test_a_malformed_record_of_missing_inputs_is_as_none(site: Site, text: bytes) -> None:
    """The key beside it is found."""
    site.redis.set(redis_keys.missing(REPOSITORY, "bad"), text)
    site.redis.set(redis_keys.missing(REPOSITORY, "good"), json.dumps([["commit", "tip"], "why"]))
    assert ["good"] == list(job_store(site.redis).missing(REPOSITORY, ["bad", "good"]))


@pytest.mark.parametrize(
    "fields",
    [
        {"data": b"[" * 100_000},
        {"data": b'["job",null,[{}],{}]'},
        {"data": b'["job",null,7,{}]'},
        {"data": b'["job",null,{"x":1},{}]'},
        {"created_at": b"soon", "data": b""},
        {"timeout": b"long", "data": b"null"},
        {"meta": b"\xff", "data": b"7"},
        {"status": b"odd", "data": b"{}"},
        {"dependency_ids": b"[", "data": b"{}"},
    ],
    ids=repr,
)
def test_a_malformed_item_does_not_hide_the_others(site: Site, fields: dict[str, bytes]) -> None:
    """Items of the queue that are not ours are left out."""
    queues = Queues(site.redis)
    queues.enqueue("job", "first")
    item: Any = site.redis.lindex(redis_keys.rq_queue("tea-job"), 0)
    site.redis.hset(b"rq:job:" + item, mapping=fields)
    queues.enqueue("job", "second")
    assert {"second"} == queues.queued("job") - {"first"}


@pytest.mark.long
@pytest.mark.parametrize("field", ["data", "exc_info"])
def test_an_item_that_grows_by_decompression_is_not_decompressed(site: Site, field: str) -> None:
    """A few hundred kilobytes in Redis that RQ would make 200 MB of in each process that reads it."""
    queues = Queues(site.redis)
    queues.enqueue("job", "first")
    item: Any = site.redis.lindex(redis_keys.rq_queue("tea-job"), 0)
    site.redis.hset(b"rq:job:" + item, field, zlib.compress(b"0" * 200_000_000))
    tracemalloc.start()
    try:
        queued = queues.queued("job")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert queued == (set() if field == "data" else {"first"})
    assert peak < 8_000_000


def test_a_malformed_item_does_not_end_the_loop(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    """The item behind it is handled without the pause that follows a lost connection."""
    caplog.set_level(logging.WARNING)
    seen: list[str] = []
    for argument in ("first", "second", "third"):
        site.queues.enqueue("plan", argument)
    items: Any = site.redis.lrange(redis_keys.rq_queue("tea-plan"), 0, -1)
    site.redis.hset(b"rq:job:" + items[0], "created_at", "soon")
    site.redis.hdel(b"rq:job:" + items[1], "data")
    site.consumer("plan", seen.append, name="malformed").run(burst=True)
    assert "third" == seen[-1]
    assert "the connection was lost" not in caplog.text
