"""What a job prints in, its log to be followed, read and kept for a time out.

Head and tail are kept up to a limit; what lies between is counted, not kept, so that a flood costs
neither memory nor disk.
"""

from __future__ import annotations

from typing import Any

import redis

_KEEP = 14 * 86_400


class JobLog:
    """One job's log in Redis: the end of it is dropped first into a ring, then for good."""

    def __init__(self, connection: redis.Redis, job_id: str, limit: int) -> None:
        self._redis = connection
        self._head = f"tea:log:{job_id}:head"
        self._tail = f"tea:log:{job_id}:tail"
        self._half = max(limit // 2, 2048)
        self._written = 0

    def start(self) -> None:
        """Begin anew."""
        self._redis.delete(self._head, self._tail, self._tail + ":cut")
        self._written = 0

    def write(self, data: bytes) -> None:
        """Append; never raises, because a log is no reason to fail."""
        try:
            if self._written < self._half:
                room = self._half - self._written
                self._redis.append(self._head, data[:room])
                self._redis.expire(self._head, _KEEP)
                self._written += len(data[:room])
                data = data[room:]
            if data:
                length: Any = self._redis.append(self._tail, data)
                self._redis.expire(self._tail, _KEEP)
                if length > 2 * self._half:
                    kept: Any = self._redis.getrange(self._tail, -self._half, -1)
                    self._redis.set(self._tail, kept, ex=_KEEP)
                    self._redis.incrby(self._tail + ":cut", int(length) - len(kept))
                    self._redis.expire(self._tail + ":cut", _KEEP)
        except redis.RedisError:
            return


def read_log(connection: redis.Redis, job_id: str) -> bytes:
    """The whole log, with a line in the place of what was not kept."""
    name = f"tea:log:{job_id}:"
    head, tail, cut = (
        connection.get(name + "head"),
        connection.get(name + "tail"),
        connection.get(name + "tail:cut"),
    )
    parts = [head or b""]
    if cut:
        parts.append(f"\n… {int(cut)} bytes were not kept …\n".encode())
    parts.append(tail or b"")
    return b"".join(part for part in parts if isinstance(part, bytes))
