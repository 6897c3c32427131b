"""Names of work in, work carried out by another process: RQ, and what it must not do here.

One queue per kind of process, so that RQ moves ids with BLMOVE and loses none.  Nothing found in Redis
can name code: the type of a job is looked up in a table of two, callbacks are ignored, and arguments
are two texts.  RQ's own registries and retries decide nothing; claims and leases in
:mod:`tea_runner.broker.job_store` do.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import redis
from rq import Queue
from rq.job import Job as RqJob

from tea_runner.broker.connection import as_queue_error, raises_queue_error
from tea_runner.core.errors import QueueError

log = logging.getLogger(__name__)

#: Kind of work to the queue that carries it.
QUEUES = {"plan": "tea-plan", "work": "tea-work"}
_WEEK = 604_800

Handler = Callable[[str], None]


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
        try:
            return handler(arguments[0])
        except (redis.RedisError, QueueError) as error:
            # What was done is on the forge; leases and the reconciler find what was not.
            log.warning(
                "%s", as_queue_error(error) if isinstance(error, redis.RedisError) else error
            )
            return None

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


@raises_queue_error
class Queues:
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

    def queued(self, kind: str) -> set[str]:
        """The arguments of all pieces that wait."""
        queue = self._queues[kind]
        ids = queue.get_job_ids()
        found = ListedJob.fetch_many(ids, queue.connection, serializer=Serializer)
        return {job.args[0] for job in found if job is not None and job.args}
