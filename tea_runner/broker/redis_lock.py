"""Redis lock with a time to live and renewal: :class:`redis.lock.Lock`, kept alive by a thread."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import redis
from redis.lock import Lock

from tea_runner.broker.connection import redis_errors_translated
from tea_runner.broker.redis_keys import LOCK_TTL


@contextlib.contextmanager
def redis_lock(connection: redis.Redis, name: str, *, patience: float = 2.0) -> Iterator[str]:
    """Hold the lock of this name inside the block; yields its token, empty when it was not acquired.

    A process that was suspended for longer than the time to live may believe that it holds the lock:
    what must not happen twice is left to compare-and-swap on the forge.

    :param patience: seconds to wait for another holder.
    :raises QueueError: on entry, when Redis does not answer.
    """
    # Not thread-local: the thread below renews what this one has acquired.
    lock = Lock(connection, name, timeout=LOCK_TTL, sleep=0.05, thread_local=False)
    with redis_errors_translated():
        acquired = lock.acquire(blocking_timeout=patience)
    if not acquired:
        yield ""
        return
    stop = threading.Event()

    def renew() -> None:
        while not stop.wait(LOCK_TTL / 3):
            with contextlib.suppress(redis.RedisError):
                lock.reacquire()

    threading.Thread(target=renew, daemon=True, name="redis-lock").start()
    try:
        yield lock.local.token.decode()
    finally:
        stop.set()
        with contextlib.suppress(redis.RedisError):
            lock.release()
