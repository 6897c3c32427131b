"""A queue and a handler in, work carried out until a signal says stop: through all that Redis does.

RQ's loop gives up when Redis hangs or answers with an error in the wrong moment; it is begun anew, a
little later each time.  A signal is never answered by asking Redis.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import redis
from rq import Queue, SimpleWorker
from rq.exceptions import InvalidJobOperation, NoSuchJobError
from rq.timeouts import BaseDeathPenalty
from rq.worker.base import StopRequested

from tea_runner.broker import keys
from tea_runner.broker.connection import as_queue_error
from tea_runner.broker.rq_queues import QUEUES, Handler, ListedJob, Serializer
from tea_runner.host.process import kill_descendants

log = logging.getLogger(__name__)

_LONGEST_PAUSE = 5.0
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class _NoPenalty(BaseDeathPenalty):
    """Time limits are ours: an alarm in the middle of a push would help nobody."""

    def setup_death_penalty(self) -> None: ...

    def cancel_death_penalty(self) -> None: ...


class RqWorker(SimpleWorker):
    """Takes work from one queue in this very process, which keeps its mirrors and pipes warm."""

    death_penalty_class = _NoPenalty
    job_class = ListedJob
    queue_class = Queue

    service: QueueConsumer
    busy = False
    #: Nothing was left to do, or a signal came; else the loop ended because of Redis.
    done = False

    def request_stop(self, signum: Any, frame: Any) -> None:  # noqa: ARG002
        """A signal: end now, or after the piece of work in hand; another one changes nothing."""
        again = self.service.stopped
        self.done = self._stop_requested = True
        self.service.stop()
        if not self.busy and not again:
            raise StopRequested

    def dequeue_job_and_maintain_ttl(self, timeout: Any, max_idle_time: Any = None) -> Any:
        """Wait for work; take none while this process is not fit for it."""
        self.service.wait_until_ready(lambda: self.heartbeat(60))
        taken = super().dequeue_job_and_maintain_ttl(timeout, max_idle_time)
        self.done = self.done or taken is None
        return taken

    def execute_job(self, job: Any, queue: Any) -> None:
        """Do one piece of work, and let no signal end it in the middle."""
        self.busy = True
        try:
            super().execute_job(job, queue)
        finally:
            self.busy = False

    def subscribe(self) -> None:
        """RQ's commands by publish and subscribe are not listened to: Redis names no deeds here."""

    def unsubscribe(self) -> None:
        """There is nothing to end."""

    def handle_exception(self, job: Any, *exc_info: Any) -> None:
        """The handlers report their own failures; what comes here is a bug and is said aloud."""
        if isinstance(exc_info[1], InvalidJobOperation | NoSuchJobError):
            log.warning("Redis forgot a piece of work while it was being done")
            return
        log.error("work failed: %s", job.id, exc_info=exc_info)


class QueueConsumer:
    """One kind of work, carried out by this process.

    :param on_stop: called when a signal says stop, while the work in hand goes on.
    :param ready: a sentence while the process should take no work, else nothing.
    :param grace: seconds after a signal when the process ends whatever it is at.
    :param at_last: called then, before everything below the process is killed.
    """

    def __init__(
        self,
        connection: redis.Redis,
        kind: str,
        handler: Handler,
        *,
        name: str,
        on_stop: Callable[[], None] = lambda: None,
        ready: Callable[[], str] = lambda: "",
        grace: float = 0.0,
        at_last: Callable[[], None] = lambda: None,
    ) -> None:
        self._redis = connection
        self._kind = kind
        self._handlers = {kind: handler}
        self._name = name
        self._on_stop = on_stop
        self._ready = ready
        self._grace = grace
        self._at_last = at_last
        #: Whether a signal came.
        self.stopped = False

    def stop(self) -> None:
        """Somebody wants this process to end."""
        if self.stopped:
            return
        self.stopped = True
        self._on_stop()
        if self._grace:
            timer = threading.Timer(self._grace, self._end)
            timer.daemon = True
            timer.start()

    def _end(self) -> None:
        log.warning("not done %g s after the signal; ending now", self._grace)
        try:
            self._at_last()
        finally:
            kill_descendants()
            logging.shutdown()
            os._exit(0)

    def wait_until_ready(self, heartbeat: Callable[[], None]) -> None:
        """Wait, saying why, until the process is fit for work."""
        said = ""
        while problem := self._ready():
            if problem != said:
                log.warning("taking no work: %s", problem)
                said = problem
            heartbeat()
            time.sleep(1.0)
        if said:
            log.warning("taking work again")

    def run(self, *, burst: bool = False) -> None:
        """Carry out work until a signal comes, or (with *burst*) until nothing is left."""
        before = {number: signal.getsignal(number) for number in _SIGNALS}
        try:
            self._run(burst)
        except StopRequested:
            return
        finally:
            if threading.current_thread() is threading.main_thread():
                # Whoever was told to end is ending; a process that was not is as it was.
                for number, handler in before.items():
                    signal.signal(number, _nothing_more if self.stopped else handler)

    def _run(self, burst: bool) -> None:
        pause = 0.1
        while not self.stopped:
            began = time.monotonic()
            try:
                worker = self._worker()
                # RQ's own words for a Redis that is away are tracebacks: ours follow.
                worker.work(burst=burst, logging_level="CRITICAL", with_scheduler=False)
                if worker.done:
                    return
                log.warning("Redis: the connection was lost; waiting for it")
            except redis.RedisError as error:
                log.warning("%s; it is tried again", as_queue_error(error))
            if time.monotonic() - began > 30:
                pause = 0.1
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _worker(self) -> RqWorker:
        job_class = type("OurJob", (ListedJob,), {"handlers": self._handlers})
        queue = Queue(
            QUEUES[self._kind], connection=self._redis, serializer=Serializer, job_class=job_class
        )
        # The name is ours alone; what is left of it is from before Redis went away.
        self._redis.delete(keys.rq_worker(self._name))
        worker = RqWorker(
            [queue],
            name=self._name,
            connection=self._redis,
            serializer=Serializer,
            job_class=job_class,
            worker_ttl=60,
            default_result_ttl=0,
            maintenance_interval=3600,
        )
        worker.service = self
        worker.log_result_lifespan = False
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                signal.signal(number, worker.request_stop)
        return worker


def _nothing_more(signum: int, frame: object) -> None:
    """A signal to a process that is ending already."""


def run_until_signalled(
    connection: redis.Redis,
    kind: str,
    handler: Handler,
    *,
    name: str,
    burst: bool = False,
) -> None:
    """Carry out one kind of work until a signal says stop (or, with *burst*, nothing is left)."""
    QueueConsumer(connection, kind, handler, name=name).run(burst=burst)
