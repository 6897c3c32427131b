"""What people want of one branch beyond its commits in, what came of it out; kept in Redis.

Keys (below ``tea:``):
``forced:<repository>\\n<branch>``  hash: a key or a pipeline's name to the wish that says so
``ledger:<repository>``             pipelines that gave the same bytes again
``judged:<repository>\\n<wish>\\n…``  set when a wish's verdict is in the ledger
"""

from __future__ import annotations

import contextlib
import json
import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import redis

from tea_runner.broker.connection import unanswered
from tea_runner.broker.redis_lock import redis_lock
from tea_runner.core.planning.recompute_verdict import RecomputeVerdict, add_verdict
from tea_runner.core.planning.run_status import JobFacts

log = logging.getLogger(__name__)

_DAY = 86_400
#: What is said of a job that a newer push has made needless before it began.
_NEEDLESS = "a newer push made it needless before it began"

# KEYS: job, wanted, pending   ARGV: id, wanter, now, sentence, key names…
# Answers 1 when nobody wants the job any more and it had not begun, so that it is cancelled.
_LET_GO = """
redis.call('SREM', KEYS[2], ARGV[2])
redis.call('SREM', KEYS[3], ARGV[1])
if redis.call('HGET', KEYS[1], 'state') ~= 'waiting' then return 0 end
if redis.call('SCARD', KEYS[2]) > 0 then return 0 end
redis.call('HSET', KEYS[1], 'state', 'cancelled', 'ended', ARGV[3], 'error', ARGV[4])
for i = 5, #ARGV do
  if redis.call('GET', ARGV[i]) == ARGV[1] then redis.call('DEL', ARGV[i]) end
end
return 1
"""


class BranchRecomputeRequests:
    """The wishes of one branch."""

    def __init__(
        self,
        connection: redis.Redis,
        repository: str,
        branch: str,
        facts: Callable[[Sequence[str]], Mapping[str, JobFacts]],
    ) -> None:
        """For a branch.

        :param facts: what is known of jobs.
        """
        self._redis = connection
        self._repository = repository
        self._wanter = f"{repository}\n{branch}"
        self._facts = facts
        self._let_go = connection.register_script(_LET_GO)

    def add(self, words: Iterable[str], wish: str) -> None:
        """Have keys, or all datums of pipelines, computed although they are known."""
        with _answered():
            pipe = self._redis.pipeline(transaction=True)
            for word in words:
                pipe.hset(f"tea:forced:{self._wanter}", word, wish)
            pipe.expire(f"tea:forced:{self._wanter}", _DAY)
            pipe.execute()

    def pending(self) -> Mapping[str, str]:
        """What is wanted: a key or a pipeline's name, with the wish."""
        with _answered():
            found: Any = self._redis.hgetall(f"tea:forced:{self._wanter}")
        return {
            word.decode("utf-8", "surrogateescape"): wish.decode() for word, wish in found.items()
        }

    def complete(self, words: Iterable[str]) -> None:
        """These are done."""
        done = list(words)
        if done:
            with _answered():
                self._redis.hdel(f"tea:forced:{self._wanter}", *done)

    def record_verdicts(self, salt: str, verdicts: Sequence[RecomputeVerdict]) -> None:
        """Write verdicts into the ledger, each wish's once, and differences into the log."""
        new = []
        with _answered():
            for verdict in verdicts:
                name = f"tea:judged:{self._repository}\n{salt}\n{verdict.pipeline}\n{verdict.key}"
                if self._redis.set(name, "1", nx=True, ex=_DAY):
                    new.append(verdict)
            with redis_lock(self._redis, f"tea:ledging:{self._repository}"):
                after = add_verdict(self.ledger(), new)
                self._redis.set(f"tea:ledger:{self._repository}", json.dumps(after))
        for verdict in new:
            if verdict.outcome != "ok":
                log.warning("%s: %s", self._repository, verdict)

    def ledger(self) -> dict[str, Any]:
        """What the ledger says of the repository's pipelines."""
        raw: Any = self._redis.get(f"tea:ledger:{self._repository}")
        try:
            document = json.loads(raw or b"{}")
        except ValueError:
            return {}
        return document if isinstance(document, dict) else {}

    def cancel_jobs_except(self, jobs: Collection[str]) -> None:
        """Let go of jobs that the branch waited for; those that nobody else wants do not begin."""
        with _answered():
            pending: Any = self._redis.smembers(f"tea:pending:{self._wanter}")
            gone = sorted({job.decode() for job in pending} - set(jobs))
            for job, facts in self._facts(gone).items() if gone else ():
                names = []
                if facts.job is not None:
                    names = [
                        f"tea:key:{facts.job.queue_namespace}\n{key}" for _, key in facts.job.datums
                    ]
                self._let_go(
                    keys=[f"tea:job:{job}", f"tea:wanted:{job}", f"tea:pending:{self._wanter}"],
                    args=[job, self._wanter, f"{time.time():.3f}", _NEEDLESS, *names],
                )

    def exclusive(self) -> AbstractContextManager[object]:
        """No other planner asks for jobs meanwhile."""
        return redis_lock(self._redis, "tea:starting", patience=10.0)


@contextlib.contextmanager
def _answered() -> Iterator[None]:
    try:
        yield
    except redis.RedisError as error:
        raise unanswered(error) from error
