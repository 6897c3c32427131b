"""Watchdog processes that kill a command's process group when the worker dies.

A watchdog is a small shell that reads process group ids from a pipe and kills the last one at the end of
the pipe, which comes with the worker's end, however the worker ends.  Watchdogs are reused: starting one
takes longer than many a command.
"""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Iterator

from tea_runner.core.errors import CommandError
from tea_runner.host import process

#: The last line counts; an empty line stands for no group.
_PROGRAM = 'while read -r line; do group=$line; done; [ -z "$group" ] || kill -s KILL -- "-$group"'


class Watchdogs:
    """A pool of idle watchdogs."""

    def __init__(self) -> None:
        self._idle: list[process.PipedProcess] = []
        self._lock = threading.Lock()
        weakref.finalize(self, _close, self._idle)

    @contextlib.contextmanager
    def watch(self, group: int) -> Iterator[None]:
        """While the block runs, the process group is killed if this process dies.

        Leave the block before the group's leader is reaped: its id may belong to another group then.
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
                    self._idle.append(watchdog)

    def _take(self) -> process.PipedProcess:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return self._new()

    @staticmethod
    def _new() -> process.PipedProcess:
        return process.PipedProcess(["/bin/sh", "-c", _PROGRAM], env={})

    def _send(self, watchdog: process.PipedProcess, group: int) -> process.PipedProcess:
        try:
            watchdog.send(b"%d\n" % group)
        except CommandError:
            # It was killed while it was idle.
            process.kill(watchdog.process)
            watchdog = self._new()
            watchdog.send(b"%d\n" % group)
        return watchdog


def _close(watchdogs: list[process.PipedProcess]) -> None:
    while watchdogs:
        watchdogs.pop().close()
