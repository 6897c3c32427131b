"""A process group in; its end out, should this process end before it.

A small shell reads which group it is to end; the end of what it reads is the end of us, however that
came about.  It is kept for the next command: to start one costs more than many a command does.
"""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Iterator

from tea_runner.core.errors import CommandError
from tea_runner.host import process

#: The last line that was read counts; an empty one stands for no group.
_PROGRAM = 'while read -r line; do group=$line; done; [ -z "$group" ] || kill -s KILL -- "-$group"'


class Watchdogs:
    """Those that watch nothing just now, for the next commands."""

    def __init__(self) -> None:
        self._free: list[process.PipedProcess] = []
        self._lock = threading.Lock()
        weakref.finalize(self, _close, self._free)

    @contextlib.contextmanager
    def over(self, group: int) -> Iterator[None]:
        """While the block runs, the group ends with this process; the block ends it when all is well.

        It is let go of before that group is reaped: its number may be another's afterwards.
        """
        watchdog = self._send(self._take(), group)
        try:
            yield
        finally:
            try:
                watchdog.send(b"\n")
            except CommandError:
                process.kill(watchdog.process)
            else:
                with self._lock:
                    self._free.append(watchdog)

    def _take(self) -> process.PipedProcess:
        with self._lock:
            if self._free:
                return self._free.pop()
        return self._new()

    @staticmethod
    def _new() -> process.PipedProcess:
        return process.PipedProcess(["/bin/sh", "-c", _PROGRAM], env={})

    def _send(self, watchdog: process.PipedProcess, group: int) -> process.PipedProcess:
        try:
            watchdog.send(b"%d\n" % group)
        except CommandError:
            # Somebody has killed it meanwhile.
            process.kill(watchdog.process)
            watchdog = self._new()
            watchdog.send(b"%d\n" % group)
        return watchdog


def _close(watchdogs: list[process.PipedProcess]) -> None:
    while watchdogs:
        watchdogs.pop().close()
