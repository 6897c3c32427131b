"""Random faults from a seed: processes are killed, stopped and terminated, Redis loses data.

The same seed makes the same choices; what they hit depends on the machine's own timing.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import threading
import time
from collections.abc import Callable, Mapping

import redis

from tests.faults.world import World

#: Fault to its weight, for processes and for Redis.
PROCESSES = {"kill": 10, "child": 8, "term": 2, "stop": 2}
REDIS = {
    "redis-kill": 3,
    "redis-empty": 2,
    "redis-old": 2,
    "redis-flush": 3,
    "redis-full": 1,
    "redis-hang": 1,
}


class Killer(threading.Thread):
    """Does so many faults, at random moments."""

    def __init__(
        self,
        world: World,
        *,
        seed: int,
        number: int,
        weights: Mapping[str, int],
        pause: float = 0.3,
    ) -> None:
        super().__init__(name="killer", daemon=True)
        self._world = world
        self._random = random.Random(seed)
        self._number = number
        self._weights = weights
        self._pause = pause
        self._old = world.root / "old-redis"
        self.done: list[str] = []

    def run(self) -> None:
        """All faults, one after the other."""
        acts: Mapping[str, Callable[[], str]] = {
            "kill": lambda: self._signal(signal.SIGKILL),
            "term": lambda: self._signal(signal.SIGTERM),
            "child": self._child,
            "stop": self._stop,
            "redis-kill": lambda: self._restart(lambda: None),
            "redis-empty": lambda: self._restart(self._wipe),
            "redis-old": lambda: self._restart(self._restore),
            "redis-flush": self._flush,
            "redis-full": self._full,
            "redis-hang": self._hang,
        }
        while len(self.done) < self._number:
            time.sleep(self._random.uniform(0, 2 * self._pause))
            kind = self._random.choices(list(self._weights), list(self._weights.values()))[0]
            hit = acts[kind]()
            if hit:
                self.done.append(f"{kind} {hit}")

    def _role(self) -> str:
        return self._random.choice(sorted(self._world.roles))

    def _signal(self, number: signal.Signals) -> str:
        role = self._role()
        return role if self._world.signal(role, number) else ""

    def _child(self) -> str:
        role = self._role()
        below = self._world.descendants(role)
        if not below:
            return ""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._random.choice(below), signal.SIGKILL)
            return f"of {role}"
        return ""

    def _stop(self) -> str:
        role = self._role()
        pid = self._world.signal(role, signal.SIGSTOP)
        if not pid:
            return ""

        def thaw() -> None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

        # Sometimes long enough for its lease to run out.
        threading.Timer(self._random.choice((0.3, 1.0, 7.0)), thaw).start()
        return role

    # -- Redis -------------------------------------------------------------------------------

    def _restart(self, meanwhile: Callable[[], None]) -> str:
        with self._world.held():
            self._world.kill_redis()
            meanwhile()
            self._world.broker.start()
        if self._random.random() < 0.5:
            self._copy()
        return "Redis"

    def _wipe(self) -> None:
        shutil.rmtree(self._world.redis_data, ignore_errors=True)

    def _copy(self) -> None:
        """An old copy to come back to: taken while Redis runs, as a careless backup is."""
        shutil.rmtree(self._old, ignore_errors=True)
        with contextlib.suppress(OSError, shutil.Error):
            shutil.copytree(self._world.redis_data, self._old)

    def _restore(self) -> None:
        if self._old.exists():
            self._wipe()
            shutil.copytree(self._old, self._world.redis_data)

    def _flush(self) -> str:
        with contextlib.suppress(redis.RedisError):
            self._world.redis.flushall()
            return "Redis"
        return ""

    def _full(self) -> str:
        """No room for anything new, for a while."""
        try:
            self._world.redis.config_set("maxmemory", "1mb")
            time.sleep(self._random.uniform(0.5, 2))
        except redis.RedisError:
            return ""
        while True:
            with contextlib.suppress(redis.RedisError):
                self._world.redis.config_set("maxmemory", "0")
                return "Redis"
            time.sleep(0.1)

    def _hang(self) -> str:
        with self._world.held():
            pid = self._world.broker.pid
            os.kill(pid, signal.SIGSTOP)
            time.sleep(self._random.uniform(0.5, 3))
            os.kill(pid, signal.SIGCONT)
        return "Redis"
