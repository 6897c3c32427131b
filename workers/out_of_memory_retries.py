"""Limits of memory of one job's commands: from what the pipeline requests to what it may use, by doubling."""

from __future__ import annotations

import time
from collections.abc import Callable

from tea_runner.core.pipeline import Pipeline
from tea_runner.host.resource_ledger import Reservation

#: Seconds for which a command that needs more memory waits until the host has reserved it, and between two
#: looks.  After that it runs all the same: a limit is what a command may use, reserved or not.
_WAIT, _EVERY = 60.0, 0.2


class MemorySteps:
    """The limit of memory of a job's commands now, and the next one.

    :param operators: the operator's limit in bytes; None for none.
    :param reservation: grows with the limit.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        operators: int | None,
        reservation: Reservation,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        self._reservation, self._cancelled = reservation, cancelled
        limits = [each for each in (pipeline.limits.memory, operators) if each is not None]
        #: Bytes; None without a limit.
        self.most = min(limits, default=None)
        requested = pipeline.requests.memory if pipeline.limits.memory is not None else None
        self.current = self.most
        if self.most is not None and requested is not None:
            self.current = min(requested, self.most)

    def more(self, memory: int) -> int | None:
        """The limit after *memory*, of which the host reserves as much; None for no more."""
        if self.most is None or memory >= self.most:
            return None
        self.current = min(2 * memory, self.most)
        until = time.monotonic() + _WAIT
        while not self._reservation.grow(self.current):
            if time.monotonic() > until or self._cancelled():
                break
            time.sleep(_EVERY)
        return self.current
