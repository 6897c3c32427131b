"""The queues of RQ: one for planners, and one for each class of jobs.

A process that consumes one queue moves ids with BLMOVE; one with several may lose an id when it dies, which
the reconciler finds.  Nothing in Redis can name
code: a queue item names its kind, which is looked up in a table, and has one text as argument; callbacks
are ignored.  RQ's registries and retries decide nothing; the claims and leases of
:mod:`tea_runner.broker.job_store` do.
"""

from __future__ import annotations

import contextlib
import json
import logging
import time
import uuid
import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import redis
from rq import Queue
from rq.exceptions import DeserializationError, NoSuchJobError
from rq.job import Job as RqJob

from tea_runner.broker import redis_keys
from tea_runner.broker.connection import as_queue_error, raises_queue_error
from tea_runner.broker.fair_job_turns import JobTurns
from tea_runner.core.errors import NewerMessage, QueueError
from tea_runner.core.planning.message_version import VERSION, require_readable
from tea_runner.core.planning.worker_requirement import NEEDS, Need, read_class
from tea_runner.core.repository_priority import RepositoryPriority
from tea_runner.core.resource_demand import demand_text
from tea_runner.core.running_limit import RunningLimit

log = logging.getLogger(__name__)

PLAN_QUEUE = "tea-plan"
#: Need of jobs without a demand to the name of their queue in RQ.  Former versions have jobs of all needs
#: in the first one.
JOB_QUEUES: dict[Need, str] = {
    "host": "tea-job",
    "container": "tea-job-container",
    "apptainer": "tea-job-apptainer",
}
#: Kind of a queue item, to the names of its queues in RQ.
QUEUES: dict[str, tuple[str, ...]] = {"plan": (PLAN_QUEUE,), "job": tuple(JOB_QUEUES.values())}
_WEEK = 604_800
#: Seconds after an item of a newer version was put back.
_LEFT_FOR = 0.5


def queue_name(worker_class: str) -> str:
    """The queue of jobs of a class: that of their need, with what they demand."""
    needs, demand = read_class(worker_class)
    return f"{JOB_QUEUES[needs]}:{demand_text(demand)}" if demand else JOB_QUEUES[needs]


#: Bytes of an item's largest field once it is decompressed; ours have less than 300.
_MAX_FIELD = 1 << 20
#: Fields of an item that RQ decompresses without a limit.
_COMPRESSED = frozenset({b"data", b"exc_info"})

Handler = Callable[[str], None]


class ListedJob(RqJob):
    """RQ job that calls the handler of its kind, and nothing else."""

    handlers: Mapping[str, Handler] = {}

    def restore(self, raw_data: Any) -> None:
        """Read the item; a malformed field ends neither the loop nor the list of items."""
        self.data = b""
        try:
            super().restore({name: _limited(name, value) for name, value in raw_data.items()})
        except (NoSuchJobError, AssertionError, LookupError, TypeError, ValueError) as error:
            log.warning("malformed item %.80r in the queue: %.80s", self.id, error)

    def perform(self) -> Any:
        """Call the handler; an item of another kind or form is dropped and logged."""
        kind: object = None
        with contextlib.suppress(DeserializationError, TypeError, ValueError):
            kind = self.func_name
        argument = self.argument()
        try:
            require_readable(self.message_version())
        except NewerMessage as error:
            self.leave(error)
            return None
        handler = self.handlers.get(kind) if isinstance(kind, str) else None
        if handler is None or argument is None:
            log.warning("dropped a foreign item from the queue: %.80r", kind)
            return None
        try:
            return handler(argument)
        except (redis.RedisError, QueueError) as error:
            # Finished results are on the forge; leases and the reconciler find the rest.
            log.warning(
                "%s", as_queue_error(error) if isinstance(error, redis.RedisError) else error
            )
            return None

    def argument(self) -> str | None:
        """The one text that an item has; None for a foreign one."""
        with contextlib.suppress(DeserializationError, TypeError, ValueError):
            arguments = self.args
            if isinstance(arguments, (list, tuple)) and len(arguments) == 1:
                return arguments[0] if isinstance(arguments[0], str) else None
        return None

    def message_version(self) -> object:
        """The item's version; None for one without."""
        with contextlib.suppress(DeserializationError, TypeError, ValueError):
            named = self.kwargs
            return named.get("version") if isinstance(named, dict) else None
        return None

    def leave(self, error: NewerMessage) -> None:
        """Put the item at the end of its queue, as it is, for a newer process."""
        log.warning("%s", error.message)
        queue = Queue(self.origin, connection=self.connection, serializer=Serializer)
        left = RqJob.create(
            str(self.func_name),
            args=self.args,
            kwargs=self.kwargs,
            id=f"{self.func_name}-{uuid.uuid4().hex}",
            connection=self.connection,
            serializer=Serializer,
            timeout=_WEEK,
            result_ttl=0,
            failure_ttl=60,
            origin=self.origin,
        )
        queue.enqueue_job(left)
        # Where there is no newer process yet, this one does not turn in circles.
        time.sleep(_LEFT_FOR)

    @property
    def func(self) -> Callable[..., Any]:
        """The handler, never a function that Redis names."""
        return self.perform

    success_callback = failure_callback = stopped_callback = None


def _limited(name: bytes, value: bytes) -> bytes:
    """A field of an item; empty where it would be too large once RQ has decompressed it."""
    if name in _COMPRESSED:
        reader = zlib.decompressobj()
        with contextlib.suppress(zlib.error):
            reader.decompress(value, _MAX_FIELD)
            if reader.unconsumed_tail:
                return b""
    return value


class Serializer:
    """JSON, which cannot hold code."""

    @staticmethod
    def dumps(value: Any) -> bytes:
        """Bytes of a value."""
        return json.dumps(value).encode()

    @staticmethod
    def loads(data: bytes) -> Any:
        """Value of the bytes; an empty item for anything but JSON."""
        try:
            return json.loads(data)
        except (ValueError, RecursionError):
            return [None, None, [], {}]


@raises_queue_error
class Queues:
    """The queues, for producers.  Every method raises QueueError when Redis does not answer.

    :param priorities: repositories with more turns than others.
    :param limits: of the jobs that run at once.
    """

    def __init__(
        self,
        connection: redis.Redis,
        priorities: Sequence[RepositoryPriority] = (),
        limits: Sequence[RunningLimit] = (),
    ) -> None:
        self._turns = JobTurns(connection, priorities, limits)
        self._redis = connection

    def enqueue(self, kind: str, argument: str, *, first: bool = False) -> None:
        """Append an item to the queue of this kind; a job goes into the line of its repository, too.

        :param first: put it before all others.
        """
        name = queue_name(self._turns.put(argument)) if kind == "job" else PLAN_QUEUE
        self._queue(name).enqueue_call(
            kind,
            args=(argument,),
            # Former versions ignore it.
            kwargs={"version": VERSION},
            # The receiver's user of Redis may write plans only: deploy/redis/users.acl.
            job_id=f"{kind}-{uuid.uuid4().hex}",
            timeout=_WEEK,
            result_ttl=0,
            failure_ttl=60,
            at_front=first,
        )

    def take_turn(self, job_id: str) -> str:
        """Take the next turn; returns the id of the job to claim, or an empty text if none may start.

        :param job_id: the one that the queue item names.
        """
        taken, waiting = self._turns.take(job_id)
        for other in waiting:
            self.enqueue("job", other)
        return taken

    def end_turn(self, job_id: str) -> None:
        """Note that a job that was taken runs no longer, and queue items for those that it held back."""
        for waiting in self._turns.end(job_id):
            self.enqueue("job", waiting)

    def held(self, lines: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
        """See :meth:`~tea_runner.broker.fair_job_turns.JobTurns.held`."""
        return self._turns.held(lines)

    def in_line(self, jobs: Mapping[str, tuple[str, str]]) -> set[str]:
        """See :meth:`~tea_runner.broker.fair_job_turns.JobTurns.in_line`."""
        return self._turns.in_line(jobs)

    def length(self, kind: str) -> int:
        """Number of items of this kind that wait."""
        if kind == "job":
            return sum(self.lengths().values())
        return int(self._queue(PLAN_QUEUE).count)

    def length_of(self, worker_class: str) -> int:
        """Number of items that wait in the queue of jobs of this class."""
        return int(self._queue(queue_name(worker_class)).count)

    def lengths(self) -> dict[str, int]:
        """Classes of jobs to the number of items that wait; a class with a demand only where some do."""
        known = [*NEEDS, *self._turns.classes()]
        pipe = self._redis.pipeline(transaction=False)
        for each in known:
            pipe.llen(redis_keys.rq_queue(queue_name(each)))
        found = zip(known, map(int, pipe.execute()), strict=True)
        return {each: number for each, number in found if number or each in NEEDS}

    def classes(self) -> list[str]:
        """See :meth:`~tea_runner.broker.fair_job_turns.JobTurns.classes`."""
        return self._turns.classes()

    def queued(self, kind: str) -> set[str]:
        """Arguments of the items of this kind that wait."""
        arguments = set()
        more = map(queue_name, self._turns.classes()) if kind == "job" else ()
        for name in (*QUEUES[kind], *more):
            queue = self._queue(name)
            ids = queue.get_job_ids()
            found = ListedJob.fetch_many(ids, queue.connection, serializer=Serializer)
            arguments |= {job.argument() for job in found if job is not None}
        return {argument for argument in arguments if argument is not None}

    def _queue(self, name: str) -> Queue:
        return Queue(name, connection=self._redis, serializer=Serializer, job_class=ListedJob)
