"""How the forge behaves towards those it talks to; tests teach it bad manners."""

# ruff: noqa: ARG002 - good manners and simple bad ones ask about less than they may

from __future__ import annotations

import random
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

_Delivery = TypeVar("_Delivery")


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What goes wrong with one answer.

    :param status: answered instead of doing anything; 0 does the work.
    :param keep: bytes of the answer's body that arrive before the connection breaks; None for all.
    :param delay: seconds before anything happens.
    """

    status: int = 0
    keep: int | None = None
    delay: float = 0.0


class Manners:
    """Good ones: every delivery once and at once, every answer whole."""

    def deliveries(self, due: Sequence[_Delivery]) -> Iterable[tuple[float, _Delivery]]:
        """What is sent of the deliveries of one push, each after so many seconds."""
        return [(0.0, each) for each in due]

    def answer(self, method: str, path: str) -> Fault | None:
        """What goes wrong with the answer to this request."""
        return None


class BadManners(Manners):
    """Chances of each fault, drawn from a seed; safe to share between threads."""

    def __init__(
        self,
        seed: int,
        *,
        drop: float = 0.0,
        repeat: float = 0.0,
        delay: float = 0.0,
        fail: float = 0.0,
        cut: float = 0.0,
    ) -> None:
        """*delay* is the longest one in seconds, the others are chances between 0 and 1."""
        self._random = random.Random(seed)  # noqa: S311 - faults, not secrets
        self._lock = threading.Lock()
        self.drop = drop
        self.repeat = repeat
        self.delay = delay
        self.fail = fail
        self.cut = cut

    def deliveries(self, due: Sequence[_Delivery]) -> Iterable[tuple[float, _Delivery]]:
        """Lose some, send some twice, and all of them late and in any order."""
        with self._lock:
            sent = []
            for each in due:
                if self._random.random() < self.drop:
                    continue
                times = 2 if self._random.random() < self.repeat else 1
                sent += [(self._random.uniform(0, self.delay), each) for _ in range(times)]
            self._random.shuffle(sent)
        return sent

    def answer(self, method: str, path: str) -> Fault | None:
        """Refuse some requests with 503, and break the connection under some answers."""
        with self._lock:
            if self._random.random() < self.fail:
                return Fault(status=503)
            if self._random.random() < self.cut:
                return Fault(keep=self._random.randrange(64))
        return None
