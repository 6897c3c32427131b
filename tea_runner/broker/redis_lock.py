"""A name in, the right to be the only one at it out: a lock in Redis that dies with its owner."""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from collections.abc import Iterator

import redis

#: Seconds after which the turn of a process that was killed ends.
TTL = 6

_KEEP = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then redis.call('DEL', KEYS[1]) else redis.call('EXPIRE', KEYS[1], ARGV[2]) end
return 1
"""


@contextlib.contextmanager
def redis_lock(connection: redis.Redis, name: str, *, patience: float = 2.0) -> Iterator[str]:
    """The token that stands at *name* while it is our turn, until the end of the block; else nothing.

    It is no fence: what a process does that was stopped for long is safe by compare-and-swap alone.

    :param patience: seconds to wait for another's turn to end.
    """
    token = uuid.uuid4().hex
    keep = connection.register_script(_KEEP)
    end = time.monotonic() + patience
    while not connection.set(name, token, nx=True, ex=TTL):
        if time.monotonic() > end:
            yield ""
            return
        time.sleep(0.05)
    stop = threading.Event()

    def run() -> None:
        while not stop.wait(TTL / 3):
            with contextlib.suppress(redis.RedisError):
                keep(keys=[name], args=[token, TTL])

    threading.Thread(target=run, daemon=True, name="turn").start()
    try:
        yield token
    finally:
        stop.set()
        with contextlib.suppress(redis.RedisError):
            keep(keys=[name], args=[token, 0])
