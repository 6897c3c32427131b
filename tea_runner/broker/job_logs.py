"""What a job prints in, its log to be followed, read and kept for a time out.

Head and tail are kept up to a limit; what lies between is counted, not kept, so that a flood costs
neither memory nor disk.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import redis

from tea_runner.broker import keys
from tea_runner.broker.connection import raises_queue_error

_CHUNK = 1 << 18


@raises_queue_error
class JobLog:
    """One job's log in Redis: the end of it is dropped first into a ring, then for good."""

    def __init__(
        self,
        connection: redis.Redis,
        job_id: str,
        limit: int,
        *,
        redact: Callable[[bytes], bytes] = bytes,
    ) -> None:
        """A log that begins empty.

        :param redact: takes secrets out of each chunk, once more before it is kept.
        """
        self._pause = 0.0
        self._held = b""
        self._sent = 0.0
        self._redact = redact
        self._redis = connection
        self._head = keys.log_head(job_id)
        self._tail = keys.log_tail(job_id)
        self._dropped = keys.log_dropped(job_id)
        self._half = max(limit // 2, 2048)
        self._written = 0

    def start(self) -> None:
        """Begin anew."""
        self._redis.delete(self._head, self._tail, self._dropped)
        self._written, self._held = 0, b""

    @contextlib.contextmanager
    def together(self, pause: float) -> Iterator[None]:
        """What is written within *pause* seconds is sent together, at the latest at the end.

        Whoever writes seldom calls :meth:`flush` now and then.
        """
        self._pause = pause
        try:
            yield
        finally:
            self._pause = 0.0
            self.flush()

    def write(self, data: bytes) -> None:
        """Append; never raises, because a log is no reason to fail."""
        self._held += self._redact(data)
        if len(self._held) >= _CHUNK or time.monotonic() - self._sent >= self._pause:
            self.flush()

    def flush(self) -> None:
        """Send what was held back; never raises."""
        data, self._held = self._held, b""
        if not data:
            return
        self._sent = time.monotonic()
        try:
            if self._written < self._half:
                room = self._half - self._written
                self._append(self._head, data[:room])
                self._written += len(data[:room])
                data = data[room:]
            if data:
                length = self._append(self._tail, data)
                if length > 2 * self._half:
                    kept: Any = self._redis.getrange(self._tail, -self._half, -1)
                    # Together, so that a reader never counts what was cut twice.
                    pipe = self._redis.pipeline(transaction=True)
                    pipe.set(self._tail, kept, ex=keys.log_tail.ttl)
                    pipe.incrby(self._dropped, int(length) - len(kept))
                    pipe.expire(self._dropped, keys.log_dropped.ttl)
                    pipe.execute()
        except redis.RedisError:
            return

    def _append(self, name: str, data: bytes) -> int:
        pipe = self._redis.pipeline(transaction=False)
        pipe.append(name, data)
        pipe.expire(name, keys.log_head.ttl)
        return int(pipe.execute()[0])


@raises_queue_error
class LogReader:
    """One job's log, read in pieces, however large it is.

    Places are counted in what is shown: the head, a line for what was not kept, the tail.
    Every method raises QueueError when Redis does not answer.
    """

    def __init__(self, connection: redis.Redis, job_id: str) -> None:
        self._redis = connection
        self._head = keys.log_head(job_id)
        self._tail = keys.log_tail(job_id)
        self._dropped = keys.log_dropped(job_id)
        self._seen = 0

    def size(self) -> int:
        """Bytes that can be read now."""
        head, cut, tail = self._lengths()
        return head + len(_gap(cut)) + tail

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        """The bytes from *start* up to *stop*, a piece at a time."""
        head, cut, tail = self._lengths()
        gap = _gap(cut)
        yield from self._pieces(self._head, start, min(stop, head))
        yield gap[max(0, start - head) : max(0, stop - head)]
        begin = head + len(gap)
        yield from self._pieces(self._tail, max(0, start - begin), min(stop - begin, tail))

    def more(self) -> bytes:
        """What was printed since the last call, at most a piece of it; empty when nothing was."""
        head, cut, tail = self._lengths()
        if head + cut + tail < self._seen:
            # A new attempt has begun its log anew.
            self._seen = 0
            return b"\n--- another attempt ---\n"
        if self._seen < head:
            data = b"".join(self._pieces(self._head, self._seen, min(head, self._seen + _CHUNK)))
            self._seen += len(data)
            return data
        lost = head + cut - self._seen
        if lost > 0:
            self._seen += lost
            return _gap(lost)
        at = self._seen - head - cut
        data = b"".join(self._pieces(self._tail, at, min(tail, at + _CHUNK)))
        self._seen += len(data)
        return data

    def _lengths(self) -> tuple[int, int, int]:
        pipe = self._redis.pipeline(transaction=True)
        pipe.strlen(self._head)
        pipe.get(self._dropped)
        pipe.strlen(self._tail)
        head, cut, tail = pipe.execute()
        return int(head), int(cut or 0), int(tail)

    def _pieces(self, name: str, start: int, stop: int) -> Iterator[bytes]:
        while start < stop:
            last = min(start + _CHUNK, stop) - 1
            piece: Any = self._redis.getrange(name, start, last)
            if not piece:
                return
            yield piece
            start += len(piece)


def _gap(cut: int) -> bytes:
    return f"\n… {cut} bytes were not kept …\n".encode() if cut > 0 else b""


def read_log(connection: redis.Redis, job_id: str) -> bytes:
    """The whole log, with a line in the place of what was not kept."""
    reader = LogReader(connection, job_id)
    return b"".join(reader.read(0, reader.size()))
