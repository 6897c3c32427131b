"""Delay of the signals that end a process, while it does what must not be interrupted."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def deferred_signals() -> Iterator[None]:
    """Delay SIGINT and SIGTERM until the end of the block; only for the main thread.

    A handler that raises between the start of a child process and the note of its id would leave the
    child behind.
    """
    received: list[int] = []
    former = {
        number: signal.signal(number, lambda number, _: received.append(number))
        for number in _SIGNALS
    }
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
        if received:
            signal.raise_signal(received[0])
