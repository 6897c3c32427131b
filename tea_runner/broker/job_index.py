"""Index of the jobs in Redis: which wait or run, and which are known at all.

The scripts that move a job between states keep the two sets.  A set that lacks the member
:data:`COMPLETE` does not name every live job: Redis was flushed, it was restored from a copy, or an
earlier version filled it.  Then the jobs' own hashes are read instead, until :meth:`JobIndex.rebuild`
has run.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import redis

from tea_runner.broker import redis_keys
from tea_runner.broker.connection import raises_queue_error
from tea_runner.broker.job_scripts import INDEX

#: Member of the set of live jobs that says that it names all of them; no job's id.
COMPLETE = "*"


@raises_queue_error
class JobIndex:
    """Ids of the jobs in Redis."""

    def __init__(self, connection: redis.Redis) -> None:
        self._redis = connection
        self._index = connection.register_script(INDEX)

    def live(self) -> list[str]:
        """Ids of jobs that wait or run; some may have ended without a trace."""
        members: Any = self._redis.smembers(redis_keys.live_jobs())
        ids = {_text(member) for member in members}
        if COMPLETE not in ids:
            return self._scan("")
        return list(ids - {COMPLETE})

    def starting_with(self, prefix: str) -> list[str]:
        """Ids that begin with these hex digits, sorted."""
        if not self._redis.sismember(redis_keys.live_jobs(), COMPLETE):
            return sorted(self._scan(prefix))
        pairs = self._redis.zscan_iter(redis_keys.known_jobs(), match=f"{prefix}*", count=1000)
        return sorted({_text(member) for member, _ in pairs})

    def rebuild(self) -> None:
        """Make the sets complete where they are not; the only look at all keys of Redis."""
        if not self._redis.sismember(redis_keys.live_jobs(), COMPLETE):
            self.check(self._scan(""))
            self._redis.sadd(redis_keys.live_jobs(), COMPLETE)

    def check(self, ids: Iterable[str]) -> list[str]:
        """Bring the index in line with these jobs; returns the ids of those that have ended."""
        ended: list[str] = []
        rest = list(ids)
        while rest:
            chunk, rest = rest[:500], rest[500:]
            answer: Any = self._index(
                keys=[redis_keys.live_jobs(), redis_keys.known_jobs()],
                args=[redis_keys.job(""), f"{time.time():.3f}", *chunk],
            )
            ended += [_text(job_id) for job_id in answer]
        return ended

    def _scan(self, prefix: str) -> list[str]:
        names = self._redis.scan_iter(redis_keys.job(f"{prefix}*"), count=1000)
        return [_text(name).removeprefix(redis_keys.job("")) for name in names]


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
