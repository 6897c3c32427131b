"""RQ worker that runs jobs in its own process until a signal, and starts again when Redis was away.

RQ's loop ends when Redis hangs or answers with an error; it is started again, after pauses that double.
A signal handler never asks Redis.

Parts of RQ (2.12) that are overridden, or used although RQ does not document them.  Each has a test in
tests/broker/test_rq_private_parts.py, in this order, that fails when a release of RQ changes it:

- ``SimpleWorker.execute_job``: runs a job in this process; overridden, so a signal waits for its end.
- ``BaseWorker.request_stop``, ``_stop_requested`` and ``StopRequested``: the signal handler; overridden.
- ``BaseWorker.dequeue_job_and_maintain_ttl`` and ``heartbeat``: overridden, so no job is taken while the
  process is not ready, and the loop begins anew when the process offers something else.
- ``BaseWorker.subscribe`` and ``unsubscribe``: overridden, so no command arrives by publish/subscribe.
- ``BaseWorker.handle_exception``: overridden, because RQ's failed-job registry is not used.
- ``BaseWorker.death_penalty_class``: set, so no alarm interrupts a job.
- ``BaseWorker.log_result_lifespan``: set.
- ``BaseWorker.job_class``, ``Job.perform``, ``Job.func`` and the three callbacks: overridden, so Redis
  names no code; ``Job.restore``, so that a malformed item does not end the loop.
- the four values that a serializer reads: function name, instance, arguments, keywords.
- names of keys, and fields of a worker's hash: read by :mod:`tea_runner.broker.workers_and_queues`.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import redis
from rq import Queue, SimpleWorker
from rq.exceptions import InvalidJobOperation, NoSuchJobError
from rq.timeouts import BaseDeathPenalty
from rq.worker import DequeueStrategy
from rq.worker.base import StopRequested

from tea_runner.broker import redis_keys
from tea_runner.broker.connection import as_queue_error
from tea_runner.broker.rq_queues import (
    PLAN_QUEUE,
    Handler,
    ListedJob,
    Queues,
    Serializer,
    queue_name,
)
from tea_runner.core.repository_priority import parse_priorities
from tea_runner.core.running_limit import parse_limits
from tea_runner.host.process import kill_descendants

log = logging.getLogger(__name__)

#: Longest pause before RQ's loop is started again, in seconds.
_LONGEST_PAUSE = 5.0
#: Seconds after which a worker without a heartbeat leaves RQ's list.
_WORKER_TTL = 60
#: Seconds after which an idle process looks whether it offers the same still.
_LOOK_EVERY = 30
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class _NoTimeout(BaseDeathPenalty):
    """No time limit: an alarm in the middle of a push would leave it half done."""

    def setup_death_penalty(self) -> None: ...

    def cancel_death_penalty(self) -> None: ...


class RqWorker(SimpleWorker):
    """Runs the jobs of its queues in this process, which keeps its mirrors and git processes open."""

    death_penalty_class = _NoTimeout
    job_class = ListedJob
    queue_class = Queue
    log_result_lifespan = False

    def __init__(self, consumer: QueueConsumer, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._consumer = consumer
        self._is_running_job = False
        #: Whether the queue is empty or a signal came.
        self.done = False
        #: Whether the process offers something else now.  Otherwise the loop ended because of Redis.
        self.outdated = False

    def request_stop(self, signum: Any, frame: Any) -> None:  # noqa: ARG002
        """Signal handler: end now, or after the running job; a second signal changes nothing."""
        again = self._consumer.stopped
        self.done = self._stop_requested = True
        self._consumer.stop()
        if not self._is_running_job and not again:
            raise StopRequested

    def request_reload(self, signum: Any, frame: Any) -> None:  # noqa: ARG002
        """Signal handler: end now, or after the running job, if the process is to start anew."""
        if self._consumer.stopped or self._consumer.reloading or not self._consumer.reload():
            return
        self.done = self._stop_requested = True
        if not self._is_running_job:
            raise StopRequested

    def dequeue_job_and_maintain_ttl(self, timeout: Any, max_idle_time: Any = None) -> Any:  # noqa: ARG002
        """Wait until this process is ready, then for a job."""
        is_burst = timeout is None
        while True:
            self._consumer.wait_until_ready(lambda: self.heartbeat(_WORKER_TTL))
            if self._consumer.names() != self.queue_names():
                self.outdated = True
                return None
            longest = None if is_burst else self._consumer.look_every()
            dequeued = super().dequeue_job_and_maintain_ttl(timeout, longest)
            if dequeued is not None or is_burst:
                self.done = self.done or dequeued is None
                return dequeued

    def execute_job(self, job: Any, queue: Any) -> None:
        """Run one job; a signal does not interrupt it."""
        self._is_running_job = True
        try:
            super().execute_job(job, queue)
        finally:
            self._is_running_job = False

    def subscribe(self) -> None:
        """Listen to no commands: whoever can write to Redis must not stop this process."""

    def unsubscribe(self) -> None:
        """Nothing was subscribed."""

    def handle_exception(self, job: Any, *exc_info: Any) -> None:
        """Log an error that the handler did not expect, which is a bug."""
        if isinstance(exc_info[1], InvalidJobOperation | NoSuchJobError):
            log.warning("Redis lost a queue item while it was processed")
            return
        log.error("work failed: %s", job.id, exc_info=exc_info)


class QueueConsumer:
    """Consumes the queues of one kind of item in this process.

    :param kind: of the items, see :data:`tea_runner.broker.rq_queues.QUEUES`.
    :param handler: called with the argument of each queue item.
    :param name: of the worker; unique.
    :param needs: classes of jobs that a worker takes now; asked again and again.
    :param look_every: seconds after which an idle process asks again.
    :param on_stop: called at the first signal, while the running job goes on.
    :param ready: why the process must take no job now; empty when it may.
    :param grace: seconds after the first signal until the process ends, whatever runs; 0 for no limit.
    :param at_last: called then, before all child processes are killed.
    :param priorities: repositories with more turns than others, as in the settings.
    :param limits: of the jobs that run at once, as in the settings.
    :param reload: called at SIGHUP; whether the process is to end, in its own time, so that it is started
        anew.  Without it the signal changes nothing.
    """

    def __init__(
        self,
        connection: redis.Redis,
        kind: str,
        handler: Handler,
        *,
        name: str,
        needs: Callable[[], Sequence[str]] = lambda: ("host",),
        look_every: Callable[[], int] = lambda: _LOOK_EVERY,
        on_stop: Callable[[], None] = lambda: None,
        ready: Callable[[], str] = lambda: "",
        grace: float = 0.0,
        at_last: Callable[[], None] = lambda: None,
        reload: Callable[[], bool] = lambda: False,
        priorities: Sequence[str] = (),
        limits: Sequence[str] = (),
    ) -> None:
        self._redis = connection
        self._priorities = parse_priorities(priorities)
        self._limits = parse_limits(limits)
        self._kind = kind
        self._handlers = {kind: handler if kind == "plan" else self._taking_turns(handler)}
        self._needs = needs
        self.look_every = look_every
        self._name = name
        self._on_stop = on_stop
        self._ready = ready
        self._grace = grace
        self._at_last = at_last
        self._reload = reload
        #: Whether :meth:`stop` was called, by a signal or otherwise.
        self.stopped = False
        #: Whether the process ends so that it is started anew.
        self.reloading = False

    def _taking_turns(self, handler: Handler) -> Handler:
        queues = Queues(self._redis, self._priorities, self._limits)

        def handle(item: str) -> None:
            job_id = queues.take_turn(item)
            if not job_id:
                return
            try:
                handler(job_id)
            finally:
                if self._limits:
                    queues.end_turn(job_id)

        return handle

    def names(self) -> list[str]:
        """Names of the queues that are to be consumed now."""
        if self._kind == "plan":
            return [PLAN_QUEUE]
        return [queue_name(each) for each in self._needs()]

    def reload(self) -> bool:
        """Take no more jobs if the process is to be started anew; the running one has all its time."""
        self.reloading = self._reload()
        return self.reloading

    @property
    def starts_anew(self) -> bool:
        """Whether the process is to be started anew now; a signal that ends it comes before that."""
        return self.reloading and not self.stopped

    def stop(self) -> None:
        """Take no more jobs, and end after the running one or after ``grace``."""
        if self.stopped:
            return
        self.stopped = True
        self._on_stop()
        if self._grace:
            timer = threading.Timer(self._grace, self._end)
            timer.daemon = True
            timer.start()

    def _end(self) -> None:
        log.warning("still running %g s after the signal; ending now", self._grace)
        try:
            self._at_last()
        finally:
            kill_descendants()
            logging.shutdown()
            os._exit(0)

    def wait_until_ready(self, heartbeat: Callable[[], None]) -> None:
        """Return when this process may take a job; log each reason why it may not.

        :param heartbeat: called each second meanwhile.
        """
        logged = ""
        while problem := self._ready():
            if problem != logged:
                log.warning("taking no jobs: %s", problem)
                logged = problem
            heartbeat()
            time.sleep(1.0)
        if logged:
            log.warning("taking jobs again")

    def run(self, *, burst: bool = False) -> None:
        """Run jobs until a signal comes or, with *burst*, until the queue is empty."""
        before = {number: signal.getsignal(number) for number in (*_SIGNALS, signal.SIGHUP)}
        try:
            self._run(burst)
        except StopRequested:
            return
        finally:
            if threading.current_thread() is threading.main_thread():
                # A process that ends ignores more signals; another one gets its handlers back.
                for number, handler in before.items():
                    signal.signal(number, _ignore_signal if self.stopped else handler)
                if self.reloading:
                    # Also for the time in which it starts.
                    signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def _run(self, burst: bool) -> None:
        pause = 0.1
        while not self.stopped and not self.reloading:
            began = time.monotonic()
            try:
                worker = self._worker()
                # RQ logs a traceback when Redis is away; one line of our own follows instead.
                worker.work(
                    burst=burst,
                    logging_level="CRITICAL",
                    with_scheduler=False,
                    dequeue_strategy=DequeueStrategy.ROUND_ROBIN,
                )
                if worker.done:
                    return
                if worker.outdated:
                    continue
                log.warning("Redis: the connection was lost; waiting for it")
            except redis.RedisError as error:
                log.warning("%s; it is tried again", as_queue_error(error))
            if time.monotonic() - began > 30:
                pause = 0.1
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _worker(self) -> RqWorker:
        job_class = type("HandledJob", (ListedJob,), {"handlers": self._handlers})
        queues = [
            Queue(name, connection=self._redis, serializer=Serializer, job_class=job_class)
            for name in self.names()
        ]
        # The name is unique: what Redis has of it is from before the connection was lost.
        self._redis.delete(redis_keys.rq_worker(self._name))
        worker = RqWorker(
            self,
            queues,
            name=self._name,
            connection=self._redis,
            serializer=Serializer,
            job_class=job_class,
            worker_ttl=_WORKER_TTL,
            default_result_ttl=0,
            maintenance_interval=3600,
        )
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                signal.signal(number, worker.request_stop)
            signal.signal(signal.SIGHUP, worker.request_reload)
        return worker


def _ignore_signal(signum: int, frame: object) -> None:
    """Signal handler of a process that ends already."""
