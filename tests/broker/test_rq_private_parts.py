"""Private parts of RQ that the broker overrides or reads: what fails when a release changes one.

The list is in :mod:`tea_runner.broker.rq_consumer`; the tests are in its order.
"""

from __future__ import annotations

import inspect
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from rq import Callback, Queue, SimpleWorker
from rq.job import Job
from rq.worker import BaseWorker
from rq.worker_registration import REDIS_WORKER_KEYS, WORKERS_BY_QUEUE_KEY

from tea_runner.broker import redis_keys
from tea_runner.broker.connection import connect
from tea_runner.broker.redis_server import RedisServer
from tea_runner.broker.rq_consumer import QueueConsumer, RqWorker
from tea_runner.broker.rq_queues import JOB_QUEUES, ListedJob, Serializer
from tea_runner.wiring import Site

JOBS = JOB_QUEUES["host"]


@pytest.fixture
def consume(site: Site, broker: RedisServer) -> Iterator[Callable[..., QueueConsumer]]:
    """Consumes the queue of jobs with a handler until it is empty or a signal comes."""
    connection = connect(broker.url, None)

    def run(handler: Callable[[str], None], *items: str, **options: object) -> QueueConsumer:
        for item in items:
            site.queues.enqueue("job", item)
        burst = bool(options.pop("burst", True))
        consumer = QueueConsumer(connection, "job", handler, name="consumer", **options)  # type: ignore[arg-type]
        consumer.run(burst=burst)
        return consumer

    yield run
    connection.close()


@pytest.mark.parametrize(
    ("base", "name", "parameters"),
    [
        (SimpleWorker, "execute_job", ["self", "job", "queue"]),
        (BaseWorker, "request_stop", ["self", "signum", "frame"]),
        (BaseWorker, "dequeue_job_and_maintain_ttl", ["self", "timeout", "max_idle_time"]),
        (BaseWorker, "heartbeat", ["self", "timeout", "pipeline"]),
        (BaseWorker, "subscribe", ["self"]),
        (BaseWorker, "unsubscribe", ["self"]),
        (BaseWorker, "handle_exception", ["self", "job", "exc_info"]),
        (Job, "perform", ["self"]),
        (Job, "restore", ["self", "raw_data"]),
    ],
)
def test_overridden_methods_are_where_they_were(
    base: type, name: str, parameters: list[str]
) -> None:
    """RQ defines each of them, with the parameters that are passed on."""
    assert parameters == list(inspect.signature(vars(base)[name]).parameters)


def test_everything_that_is_overridden_exists_in_rq() -> None:
    """A name that RQ drops or renames would be overridden in vain."""
    for ours, base in ((RqWorker, SimpleWorker), (ListedJob, Job)):
        names = {name for name in vars(ours) if not name.startswith("__")}
        own = {"handlers", "argument", "message_version", "leave", "request_reload", "_abc_impl"}
        assert set() == {name for name in names - own if not hasattr(base, name)}


def test_jobs_run_in_this_process_and_an_empty_queue_ends_a_burst(
    consume: Callable[..., QueueConsumer],
) -> None:
    """``execute_job``: no fork."""
    seen: list[tuple[str, int]] = []
    consume(lambda item: seen.append((item, os.getpid())), "a", "b")
    assert [("a", os.getpid()), ("b", os.getpid())] == seen


def test_a_signal_waits_for_the_running_job(
    site: Site, consume: Callable[..., QueueConsumer]
) -> None:
    """``execute_job`` and ``request_stop``: it ends, and the next job stays in the queue."""
    ended: list[str] = []

    def handler(item: str) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.05)
        ended.append(item)

    stopped: list[bool] = []
    consumer = consume(handler, "a", "b", on_stop=lambda: stopped.append(True))
    assert (["a"], [True], True) == (ended, stopped, consumer.stopped)
    assert {"b"} == site.queues.queued("job")


def test_a_signal_ends_an_idle_process_at_once(consume: Callable[..., QueueConsumer]) -> None:
    """``StopRequested``: it leaves the command that waits for a job."""
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM))
    timer.start()
    began = time.monotonic()
    consume(lambda _: None, burst=False)
    assert time.monotonic() - began < 10


def test_no_job_is_taken_before_the_process_is_ready(
    site: Site, consume: Callable[..., QueueConsumer], caplog: pytest.LogCaptureFixture
) -> None:
    """``dequeue_job_and_maintain_ttl`` and ``heartbeat``: it stays in the list of workers meanwhile."""
    lengths: list[int] = []
    answers = iter(["the disk is full", ""])

    def ready() -> str:
        lengths.append(site.queues.length("job"))
        return next(answers, "")

    with caplog.at_level(logging.WARNING):
        consume(lambda _: None, "a", ready=ready)
    assert [1, 1] == lengths[:2]
    assert "taking no jobs: the disk is full" in caplog.text


def test_no_command_can_be_sent_by_publish(
    site: Site, consume: Callable[..., QueueConsumer]
) -> None:
    """``subscribe``: no channel has a subscriber while a job runs."""
    channels: list[object] = []
    consume(lambda _: channels.append(site.redis.pubsub_channels()), "a")
    assert [[]] == channels


def test_a_bug_in_a_handler_ends_neither_the_loop_nor_stays_in_redis(
    site: Site, consume: Callable[..., QueueConsumer], caplog: pytest.LogCaptureFixture
) -> None:
    """``handle_exception``: it is logged with its traceback, and the next job runs."""
    seen: list[str] = []

    def handler(item: str) -> None:
        seen.append(item)
        if item == "a":
            raise RuntimeError("a bug")

    consume(handler, "a", "b")
    assert ["a", "b"] == seen
    assert "RuntimeError: a bug" in caplog.text


def test_no_alarm_interrupts_a_job(consume: Callable[..., QueueConsumer]) -> None:
    """``death_penalty_class``: RQ leaves the process's timer, which pytest may use, as it is."""
    before, _ = signal.getitimer(signal.ITIMER_REAL)
    timers: list[float] = []
    consume(lambda _: timers.append(signal.getitimer(signal.ITIMER_REAL)[0]), "a")
    assert [True] == [timer <= before for timer in timers]


def test_rq_logs_nothing_of_results() -> None:
    """``log_result_lifespan``: RQ knows the attribute."""
    assert (True, False) == (BaseWorker.log_result_lifespan, RqWorker.log_result_lifespan)


def test_redis_cannot_name_code(
    site: Site, consume: Callable[..., QueueConsumer], caplog: pytest.LogCaptureFixture
) -> None:
    """``Job.perform`` and the callbacks: an item that names a function, with callbacks, calls nothing."""
    queue = Queue(JOBS, connection=site.redis, serializer=Serializer)
    abort = Callback("os.abort")
    queue.enqueue("os.abort", on_success=abort, on_failure=abort, on_stopped=abort)
    queue.enqueue("job", "x", 1)
    seen: list[str] = []
    consume(seen.append, "a")
    assert ["a"] == seen
    assert "dropped a foreign item from the queue: 'os.abort'" in caplog.text


def test_the_callbacks_of_a_job_are_none() -> None:
    """RQ has these three, and reads them from the job."""
    for name in ("success_callback", "failure_callback", "stopped_callback"):
        assert isinstance(vars(Job)[name], property)
        assert None is getattr(ListedJob, name)


def test_an_item_that_is_no_json_is_dropped(
    site: Site, consume: Callable[..., QueueConsumer], caplog: pytest.LogCaptureFixture
) -> None:
    """The serializer's four values: what RQ pickles by itself is never read as code."""
    Queue(JOBS, connection=site.redis).enqueue("os.abort")
    seen: list[str] = []
    consume(seen.append, "a")
    assert ["a"] == seen
    assert "dropped a foreign item" in caplog.text


def test_keys_have_the_names_that_rq_gives_them(site: Site) -> None:
    """Of workers and queues."""
    queue = Queue(JOBS, connection=site.redis)
    worker = SimpleWorker([queue], name="w", connection=site.redis)
    assert redis_keys.rq_queue(JOBS) == queue.key
    assert redis_keys.rq_worker("w") == worker.key
    assert redis_keys.rq_workers() == REDIS_WORKER_KEYS == worker.redis_workers_keys
    assert redis_keys.rq_workers(JOBS) == WORKERS_BY_QUEUE_KEY % JOBS


def test_a_workers_hash_has_the_fields_that_are_read(site: Site) -> None:
    """From birth: host, process, queue, times and state."""
    worker = SimpleWorker([Queue(JOBS, connection=site.redis)], name="w", connection=site.redis)
    worker.register_birth()
    worker.set_state("idle")
    fields = {field.decode() for field in site.redis.hkeys(redis_keys.rq_worker("w"))}
    read = {"hostname", "pid", "queues", "birth", "last_heartbeat", "state"}
    assert read <= fields
    assert site.redis.sismember(redis_keys.rq_workers(JOBS), redis_keys.rq_worker("w"))
