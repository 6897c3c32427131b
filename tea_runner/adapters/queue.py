"""Names of work in, work carried out by another process: RQ, and what it must not do here.

One queue per kind of process, so that RQ moves ids with BLMOVE and loses none.  Nothing found in Redis
can name code: the type of a job is looked up in a table of two, callbacks are ignored, and arguments
are two texts.  RQ's own registries and retries decide nothing; claims and leases in
:mod:`tea_runner.adapters.jobs` do.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import redis
from rq import Queue, SimpleWorker
from rq.job import Job as RqJob
from rq.timeouts import BaseDeathPenalty

log = logging.getLogger(__name__)

#: Kind of work to the queue that carries it.
QUEUES = {"plan": "tea-plan", "work": "tea-work"}
_WEEK = 604_800

Handler = Callable[[str], None]


class _NoPenalty(BaseDeathPenalty):
    """Time limits are ours: an alarm in the middle of a push would help nobody."""

    def setup_death_penalty(self) -> None: ...

    def cancel_death_penalty(self) -> None: ...


class ListedJob(RqJob):
    """A job that can only be one of ours."""

    handlers: Mapping[str, Handler] = {}

    def perform(self) -> Any:
        """Look the kind of work up in the table and do it; anything else is dropped, with a line."""
        kind = self.func_name or ""
        arguments = self.args
        handler = self.handlers.get(kind)
        if handler is None or len(arguments) != 1 or not isinstance(arguments[0], str):
            log.warning("dropped a foreign item from the queue: %.80r", kind)
            return None
        return handler(arguments[0])

    @property
    def func(self) -> Callable[..., Any]:
        """Never a function that Redis names."""
        return self.perform

    success_callback = failure_callback = stopped_callback = None


class Serializer:
    """JSON, and nothing that could be code."""

    @staticmethod
    def dumps(value: Any) -> bytes:
        """To bytes."""
        return json.dumps(value).encode()

    @staticmethod
    def loads(data: bytes) -> Any:
        """From bytes; anything else counts as nothing."""
        try:
            return json.loads(data)
        except (ValueError, RecursionError):
            return [None, None, [], {}]


class Work:
    """The queues, seen by who fills them."""

    def __init__(self, connection: redis.Redis) -> None:
        self._queues = {
            kind: Queue(name, connection=connection, serializer=Serializer, job_class=ListedJob)
            for kind, name in QUEUES.items()
        }

    def enqueue(self, kind: str, argument: str) -> None:
        """Put one piece of work at the end of its queue."""
        queue = self._queues[kind]
        queue.enqueue_call(
            kind,
            args=(argument,),
            job_id=uuid.uuid4().hex,
            timeout=_WEEK,
            result_ttl=0,
            failure_ttl=60,
        )

    def length(self, kind: str) -> int:
        """How many pieces wait."""
        return int(self._queues[kind].count)


class Worker(SimpleWorker):
    """Takes work from one queue in this very process, which keeps its mirrors and pipes warm."""

    death_penalty_class = _NoPenalty
    job_class = ListedJob
    queue_class = Queue

    def handle_exception(self, job: Any, *exc_info: Any) -> None:
        """The handlers report their own failures; what comes here is a bug and is said aloud."""
        log.error("work failed: %s", job.id, exc_info=exc_info)


def serve(
    connection: redis.Redis,
    kind: str,
    handler: Handler,
    *,
    name: str,
    burst: bool = False,
    on_stop: Callable[[], None] | None = None,
) -> None:
    """Carry out one kind of work until a signal says stop (or, with *burst*, nothing is left)."""
    job_class = type("OurJob", (ListedJob,), {"handlers": {kind: handler}})
    queue = Queue(QUEUES[kind], connection=connection, serializer=Serializer, job_class=job_class)
    worker = Worker(
        [queue],
        name=name,
        connection=connection,
        serializer=Serializer,
        job_class=job_class,
        worker_ttl=60,
        default_result_ttl=0,
        maintenance_interval=3600,
    )
    worker.log_result_lifespan = False
    if on_stop is not None:
        _stop_early(worker, on_stop)
    worker.work(burst=burst, logging_level="WARNING", with_scheduler=False)


def _stop_early(worker: Worker, on_stop: Callable[[], None]) -> None:
    """RQ waits for the job in hand when it is told to stop; tell the job as well."""
    original = worker.request_stop

    def request_stop(signum: Any, frame: Any) -> None:
        on_stop()
        original(signum, frame)

    worker.request_stop = request_stop
