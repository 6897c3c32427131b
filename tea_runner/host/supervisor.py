"""Supervisor that keeps child processes running and stops them together."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tea_runner.host import process
from tea_runner.host.has_terminal import has_terminal
from tea_runner.present.visible_text import visible

log = logging.getLogger(__name__)

#: Bytes read from the end of a log, and characters shown of its last line.
_TAIL_BYTES, _SHOWN_CHARACTERS = 4096, 300
#: Seconds of running after which the restart delay begins anew.
_STEADY = 30.0


@dataclass
class SupervisedProcess:
    """One child: how it is started, and its restarts so far."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    #: Where its output goes; None for that of this process.
    log: Path | None
    running: process.Process | None = None
    starts: int = 0
    #: Times of the monotonic clock.
    started: float = 0.0
    not_before: float = 0.0


@dataclass
class Supervisor:
    """Starts children, restarts those that end, and stops all of them."""

    children: list[SupervisedProcess] = field(default_factory=list)

    def add(
        self, name: str, argv: Sequence[str], env: Mapping[str, str], log: Path | None = None
    ) -> None:
        """Start a child; its output is appended to *log*, or is that of this process."""
        child = SupervisedProcess(name, argv, env, log)
        self.children.append(child)
        self._start(child)

    def _start(self, child: SupervisedProcess) -> None:
        child.starts += 1
        child.started = time.monotonic()
        if child.log is None:
            child.running = process.start_process(child.argv, env=child.env)
            return
        with child.log.open("ab") as output:
            child.running = process.start_process(
                child.argv, env=child.env, stdout=output, stderr=output
            )

    def restart_ended(self) -> list[str]:
        """Restart children that have ended, with a growing delay; returns a message for each end."""
        messages = []
        now = time.monotonic()
        for child in self.children:
            if child.running is None or child.running.poll() is None:
                continue
            if child.not_before == 0.0:
                if now - child.started > _STEADY:
                    child.starts = 1
                child.not_before = now + min(0.2 * 2 ** min(child.starts, 10), 10)
                code = child.running.returncode
                last = _last_line(child.log) if child.log else ""
                detail = f": {last}" if last else ""
                where = f"; see {child.log}" if child.log else ""
                messages.append(f"{child.name} ended with code {code}{detail}{where}")
            elif now >= child.not_before:
                child.not_before = 0.0
                self._start(child)
        return messages

    def reload(self, stop: Callable[[], None]) -> None:
        """Handle SIGHUP in this process: send it to all children, which read their settings again.

        :param stop: called instead when the terminal was closed.
        """
        had_terminal = has_terminal()

        def handle(*_: object) -> None:
            if had_terminal and not has_terminal():
                stop()
            else:
                self._send(signal.SIGHUP)

        signal.signal(signal.SIGHUP, handle)

    def _send(self, number: int) -> None:
        for child in self.children:
            if child.running is not None and child.running.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child.running.pid, number)

    def stop(self, grace: float = 35.0) -> None:
        """Send SIGTERM to all children, the last first, and kill those that run after *grace* seconds."""
        for child in reversed(self.children):
            if child.running is not None and child.running.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child.running.pid, signal.SIGTERM)
        end = time.monotonic() + grace
        for child in reversed(self.children):
            if child.running is not None:
                with contextlib.suppress(process.Timeout):
                    child.running.wait(timeout=max(0.1, end - time.monotonic()))
                process.kill(child.running)
        self.children.clear()


def _last_line(path: Path) -> str:
    """The last line of a log that is not blank, made printable and cut to a readable length."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
            text = file.read().decode("utf-8", "surrogateescape")
    except OSError:
        return ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return visible(lines[-1])[:_SHOWN_CHARACTERS] if lines else ""
