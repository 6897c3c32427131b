"""Which classes of jobs a worker takes now: those that fit beside what runs on its host.

A job that needs much of the host would wait for ever while small ones keep it busy.  When it has waited for
some time, the worker takes no other job with a demand until it fits.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from tea_runner.broker.rq_queues import Queues
from tea_runner.core.errors import TeaError
from tea_runner.core.planning.worker_requirement import Need, read_class
from tea_runner.host.resource_ledger import ResourceLedger

#: Seconds after which a job that does not fit keeps others with a demand from starting.
_PATIENCE = 30.0
#: Seconds for which the list of classes is used, and between two looks while something does not fit.
_FRESH, _SOON = 2.0, 1
#: Seconds between two looks of an idle worker.
_EVERY = 5


class ConsumableClasses:
    """The classes of jobs that one worker takes now.

    :param needs: what the worker offers now.
    """

    def __init__(
        self,
        queues: Queues,
        ledger: ResourceLedger,
        needs: Callable[[], tuple[Need, ...]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._queues, self._ledger, self._needs, self._clock = queues, ledger, needs, clock
        self._known: list[str] = []
        self._looked = -_FRESH
        #: Classes with waiting jobs that do not fit, to when that was seen first.
        self._since: dict[str, float] = {}

    def __call__(self) -> list[str]:
        """Classes, those without a demand first."""
        needs, now = self._needs(), self._clock()
        self._look(now)
        fitting: list[str] = []
        waiting: list[str] = []
        for each in self._known:
            need, demand = read_class(each)
            if need not in needs or self._ledger.lacks(demand):
                continue
            (fitting if self._fits(each) else waiting).append(each)
        busy = [each for each in waiting if self._has_jobs(each)]
        self._since = {each: self._since.get(each, now) for each in busy}
        if any(now - since > _PATIENCE for since in self._since.values()):
            fitting = []
        return [*needs, *sorted(fitting)]

    @property
    def look_every(self) -> int:
        """Seconds after which an idle worker looks again."""
        return _SOON if self._since else _EVERY

    def _look(self, now: float) -> None:
        if now - self._looked >= _FRESH:
            try:
                self._known = self._queues.classes()
            except TeaError:
                return
            self._looked = now

    def _fits(self, worker_class: str) -> bool:
        try:
            return self._ledger.fits_now(read_class(worker_class)[1])
        except TeaError:
            return False

    def _has_jobs(self, worker_class: str) -> bool:
        try:
            return self._queues.length_of(worker_class) > 0
        except TeaError:
            return False
