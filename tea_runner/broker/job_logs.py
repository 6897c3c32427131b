"""Logs of jobs in Redis: written by the worker, read and followed by pages and the terminal.

The first and the last bytes are kept up to a limit; those between are counted and dropped, so that a
command that prints without end fills neither memory nor disk.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import redis

from tea_runner.broker import redis_keys
from tea_runner.broker.connection import raises_queue_error

_CHUNK = 1 << 18
#: Marks after which the time, and the bytes, between two of them grow.
_MARKS = 5000


class LogMark(NamedTuple):
    """A place in a log at which a line may begin."""

    #: Bytes before it, with those that were dropped.
    offset: int
    #: Number of line ends before it, plus one.
    line: int
    #: When it was written, in seconds since 1970.
    time: float


@raises_queue_error
class JobLog:
    """Writer of one job's log: half of the limit for its head, half for its tail.

    :param limit: bytes that are kept.
    :param redact: takes secrets out of each chunk before it is kept.
    """

    def __init__(
        self,
        connection: redis.Redis,
        job_id: str,
        limit: int,
        *,
        redact: Callable[[bytes], bytes] = bytes,
    ) -> None:
        self._pause = 0.0
        self._held = b""
        self._sent = 0.0
        self._redact = redact
        self._redis = connection
        self._head = redis_keys.log_head(job_id)
        self._tail = redis_keys.log_tail(job_id)
        self._dropped = redis_keys.log_dropped(job_id)
        self._marks = redis_keys.log_marks(job_id)
        self._half = max(limit // 2, 2048)
        self._written = 0
        #: Bytes and lines since :meth:`start`; None before, when an earlier attempt's log may be there.
        self._sum: tuple[int, int] | None = None
        self._marked, self._marked_at, self._number = 0.0, 0, 0

    def start(self) -> None:
        """Remove what an earlier attempt wrote."""
        self._redis.delete(self._head, self._tail, self._dropped, self._marks)
        self._written, self._held = 0, b""
        self._sum = (0, 1)
        self._marked, self._marked_at, self._number = 0.0, 0, 0

    @contextlib.contextmanager
    def together(self, pause: float) -> Iterator[None]:
        """Send what is written within *pause* seconds together, and the rest at the end of the block.

        :meth:`flush` sends it earlier.
        """
        self._pause = pause
        try:
            yield
        finally:
            self._pause = 0.0
            self.flush()

    def write(self, data: bytes) -> None:
        """Append; raises nothing, because a log is no reason to fail."""
        self._held += self._redact(data)
        if len(self._held) >= _CHUNK or time.monotonic() - self._sent >= self._pause:
            self.flush()

    def flush(self) -> None:
        """Send what was held back; raises nothing."""
        data, self._held = self._held, b""
        if not data:
            return
        self._sent = time.monotonic()
        try:
            self._mark(data)
            if self._written < self._half:
                free = self._half - self._written
                self._append(self._head, data[:free])
                self._written += len(data[:free])
                data = data[free:]
            if data:
                length = self._append(self._tail, data)
                if length > 2 * self._half:
                    kept: Any = self._redis.getrange(self._tail, -self._half, -1)
                    # Together, so that a reader never counts what was cut twice.
                    pipe = self._redis.pipeline(transaction=True)
                    pipe.set(self._tail, kept, ex=redis_keys.log_tail.ttl)
                    pipe.incrby(self._dropped, int(length) - len(kept))
                    pipe.expire(self._dropped, redis_keys.log_dropped.ttl)
                    pipe.execute()
        except redis.RedisError:
            return

    def _mark(self, data: bytes) -> None:
        """Note when the data is written, at most once a second, and less often in long logs."""
        if self._sum is None:
            return
        offset, line = self._sum
        self._sum = offset + len(data), line + data.count(b"\n")
        rare = 1 + self._number // _MARKS
        late = self._sent - self._marked >= rare
        # Some of the marks are in what is kept, however much is written in a second.
        if late or offset - self._marked_at >= self._half // 8 * rare or not self._number:
            self._marked, self._marked_at = self._sent, offset
            self._number += 1
            pipe = self._redis.pipeline(transaction=False)
            pipe.rpush(self._marks, f"{offset} {line} {time.time():.1f}")
            pipe.expire(self._marks, redis_keys.log_marks.ttl)
            pipe.execute()

    def _append(self, name: str, data: bytes) -> int:
        pipe = self._redis.pipeline(transaction=False)
        pipe.append(name, data)
        pipe.expire(name, redis_keys.log_head.ttl)
        return int(pipe.execute()[0])


@raises_queue_error
class LogReader:
    """Reader of one job's log, in pieces, however large it is.

    Offsets are in what is shown: the head, a line for the dropped bytes, the tail.
    Every method raises QueueError when Redis does not answer.
    """

    def __init__(self, connection: redis.Redis, job_id: str) -> None:
        self._redis = connection
        self._head = redis_keys.log_head(job_id)
        self._tail = redis_keys.log_tail(job_id)
        self._dropped = redis_keys.log_dropped(job_id)
        self._marks = redis_keys.log_marks(job_id)
        self._seen = 0

    def marks(self) -> list[LogMark]:
        """Places of the log with their lines and times, in their order."""
        found: Any = self._redis.lrange(self._marks, 0, -1)
        return [mark for raw in found if (mark := _parse_mark(raw)) is not None]

    def original(self, offset: int) -> int:
        """Bytes before an offset of what is shown, with those that were dropped."""
        head, cut, _ = self._lengths()
        return offset if offset <= head else max(head, offset - len(_gap(cut))) + cut

    def shown(self, original: int) -> int:
        """The offset in what is shown of so many bytes with those that were dropped."""
        head, cut, _ = self._lengths()
        return original if original <= head else max(original, head + cut) - cut + len(_gap(cut))

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
        """The next bytes since the last call; empty when there are none."""
        head, cut, tail = self._lengths()
        if head + cut + tail < self._seen:
            # Another attempt has removed the log of the one before.
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
        # Anything but a number is of somebody else.
        return head, int(cut) if cut and cut.isdigit() and len(cut) < 20 else 0, tail

    def _pieces(self, name: str, start: int, stop: int) -> Iterator[bytes]:
        while start < stop:
            last = min(start + _CHUNK, stop) - 1
            piece: Any = self._redis.getrange(name, start, last)
            if not piece:
                return
            yield piece
            start += len(piece)


def _parse_mark(raw: bytes) -> LogMark | None:
    try:
        offset, line, moment = raw.split()
        mark = LogMark(int(offset), int(line), float(moment))
    except ValueError:
        return None
    return mark if mark.offset >= 0 and mark.line >= 1 and 0 <= mark.time < 1e12 else None


def _gap(cut: int) -> bytes:
    return f"\n… {cut} bytes were not kept …\n".encode() if cut > 0 else b""
