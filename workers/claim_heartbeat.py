"""Heartbeat of a claim: a thread that extends its lease while a job runs."""

from __future__ import annotations

import contextvars
import logging
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)


class Heartbeat:
    """Extends a lease from a thread of its own.

    :param extend: extends it; False when the job must stop.
    :param every: seconds between two calls.
    """

    def __init__(self, extend: Callable[[], bool], every: float) -> None:
        self._extend = extend
        self._every = every
        self._stop = threading.Event()
        self.stopped = False
        self._thread = threading.Thread(
            target=contextvars.copy_context().run,
            args=(self._run,),
            name="heartbeat",
            daemon=True,
        )

    def _run(self) -> None:
        while not self._stop.wait(self._every):
            try:
                kept = self._extend()
            except Exception as error:
                # Redis may be away for a while; only its answer ends the job.
                log.warning("the lease was not extended: %s", error)
                continue
            if not kept:
                self.stopped = True
                return

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
