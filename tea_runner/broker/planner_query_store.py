"""Questions and requests to planners in Redis, and their answers; all are forgotten within half a minute."""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Mapping
from typing import Any, Protocol

import redis

from tea_runner.broker import redis_keys
from tea_runner.broker.connection import raises_queue_error
from tea_runner.core.planning.cancel_retry_recompute import RunAction, seal_action, unseal_action
from tea_runner.core.planning.planner_query import RunQuestion, seal_question, unseal_question

#: Bytes of an answer before it is compressed.
LARGEST_ANSWER = 8 << 20


class Enqueue(Protocol):
    """Puts an argument into the queue of a kind; see :meth:`~tea_runner.broker.rq_queues.Queues.enqueue`."""

    def __call__(self, kind: str, argument: str, *, first: bool = False) -> None: ...


@raises_queue_error
class QuestionStore:
    """Questions, actions and answers.  Every method raises QueueError when Redis does not answer.

    :param enqueue: puts an argument into the queue of a kind; *first* before all others.
    :param secret: key of the seal: whoever may write to Redis alone asks nothing.
    """

    def __init__(self, connection: redis.Redis, enqueue: Enqueue, *, secret: bytes) -> None:
        self._redis = connection
        self._enqueue = enqueue
        self._secret = secret

    def ask(self, asked: RunQuestion | RunAction) -> None:
        """Have a planner answer, unless the same question is asked already."""
        seal = seal_action if isinstance(asked, RunAction) else seal_question
        if self._redis.set(
            redis_keys.question(asked.id),
            seal(asked, self._secret),  # type: ignore[arg-type]
            ex=redis_keys.question.ttl,
            nx=True,
        ):
            # A person who cancels does not wait for the plans of others.
            first = isinstance(asked, RunAction)
            self._enqueue("plan", json.dumps({"question": asked.id}), first=first)

    def take(self, name: str) -> RunQuestion | RunAction | None:
        """What was asked under an id; None when nobody waits for its answer any more.

        An action is taken once.
        """
        raw: Any = self._redis.get(redis_keys.question(name))
        if raw is None:
            return None
        question = unseal_question(raw, self._secret)
        if question is not None:
            return question if question.id == name else None
        action = unseal_action(raw, self._secret)
        is_valid = action is not None and action.id == name and action.until > time.time()
        return action if self.withdraw(name) and is_valid else None

    def withdraw(self, name: str) -> bool:
        """Ask no longer; whether nobody has taken it."""
        return self._redis.delete(redis_keys.question(name)) == 1

    def put_answer(self, asked: RunQuestion | RunAction, document: Mapping[str, Any]) -> None:
        """Save an answer for those who wait; the same question is asked anew after it."""
        packed = zlib.compress(json.dumps(document).encode("utf-8", "replace"))
        pipe = self._redis.pipeline(transaction=True)
        pipe.set(redis_keys.answer(asked.id), packed, ex=redis_keys.answer.ttl)
        pipe.delete(redis_keys.question(asked.id))
        pipe.execute()

    def answer(self, asked: RunQuestion | RunAction) -> Mapping[str, Any] | None:
        """The answer; None while there is none."""
        raw: Any = self._redis.get(redis_keys.answer(asked.id))
        if raw is None:
            return None
        reader = zlib.decompressobj()
        try:
            found = json.loads(reader.decompress(raw, 2 * LARGEST_ANSWER))
        except (zlib.error, ValueError):
            return None
        return found if isinstance(found, dict) else None
