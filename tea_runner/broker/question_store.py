"""Questions to planners in Redis, and their answers; both are forgotten within half a minute."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import redis

from tea_runner.broker import redis_keys
from tea_runner.broker.connection import raises_queue_error
from tea_runner.core.planning.question import RunQuestion, seal_question, unseal_question

#: Bytes of an answer before it is compressed.
LARGEST_ANSWER = 8 << 20


@raises_queue_error
class QuestionStore:
    """Questions and answers.  Every method raises QueueError when Redis does not answer.

    :param enqueue: puts an argument into the queue of a kind.
    :param secret: key of the seal on questions: whoever may write to Redis alone asks nothing.
    """

    def __init__(
        self, connection: redis.Redis, enqueue: Callable[[str, str], None], *, secret: bytes
    ) -> None:
        self._redis = connection
        self._enqueue = enqueue
        self._secret = secret

    def ask(self, question: RunQuestion) -> None:
        """Have a planner answer, unless the same question is asked already."""
        if self._redis.set(
            redis_keys.question(question.id),
            seal_question(question, self._secret),
            ex=redis_keys.question.ttl,
            nx=True,
        ):
            self._enqueue("plan", json.dumps({"question": question.id}))

    def take(self, name: str) -> RunQuestion | None:
        """The question of an id; None when nobody waits for its answer any more."""
        raw: Any = self._redis.get(redis_keys.question(name))
        question = unseal_question(raw, self._secret) if raw is not None else None
        return question if question is not None and question.id == name else None

    def put_answer(self, question: RunQuestion, document: Mapping[str, Any]) -> None:
        """Save an answer for those who wait; the same question is asked anew after it."""
        packed = zlib.compress(json.dumps(document).encode("utf-8", "replace"))
        pipe = self._redis.pipeline(transaction=True)
        pipe.set(redis_keys.answer(question.id), packed, ex=redis_keys.answer.ttl)
        pipe.delete(redis_keys.question(question.id))
        pipe.execute()

    def answer(self, question: RunQuestion) -> Mapping[str, Any] | None:
        """The answer; None while there is none."""
        raw: Any = self._redis.get(redis_keys.answer(question.id))
        if raw is None:
            return None
        reader = zlib.decompressobj()
        try:
            found = json.loads(reader.decompress(raw, 2 * LARGEST_ANSWER))
        except (zlib.error, ValueError):
            return None
        return found if isinstance(found, dict) else None
