"""Command lines in, processes that are kept running until the end out."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tea_runner.host import process
from tea_runner.present.visible_text import visible

log = logging.getLogger(__name__)

#: How much of a log's end is looked at, and how much of its last line is shown.
_TAIL, _SHOWN = 4096, 300
#: Seconds after which a process counts as one that can run: its next start is not held back.
_STEADY = 30.0


@dataclass
class SupervisedProcess:
    """One process: how it is started, and how often it had to be."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    log: Path
    running: process.Process | None = None
    starts: int = 0
    started: float = 0.0
    not_before: float = 0.0


@dataclass
class Supervisor:
    """Starts children, starts those again that end, and ends all of them."""

    children: list[SupervisedProcess] = field(default_factory=list)

    def add(self, name: str, argv: Sequence[str], env: Mapping[str, str], log: Path) -> None:
        """Start one more process; what it prints goes to *log*."""
        child = SupervisedProcess(name, argv, env, log)
        self.children.append(child)
        self._start(child)

    def _start(self, child: SupervisedProcess) -> None:
        child.starts += 1
        child.started = time.monotonic()
        with child.log.open("ab") as output:
            child.running = process.start_process(
                child.argv, env=child.env, stdout=output, stderr=output
            )

    def look(self) -> list[str]:
        """Start again what has ended, a little later each time; returns a line for each."""
        lines = []
        now = time.monotonic()
        for child in self.children:
            if child.running is None or child.running.poll() is None:
                continue
            if child.not_before == 0.0:
                if now - child.started > _STEADY:
                    child.starts = 1
                child.not_before = now + min(0.2 * 2 ** min(child.starts, 10), 10)
                code = child.running.returncode
                said = _last_line(child.log)
                words = f": {said}" if said else ""
                lines.append(f"{child.name} ended with code {code}{words}; see {child.log}")
            elif now >= child.not_before:
                child.not_before = 0.0
                self._start(child)
        return lines

    def stop(self, grace: float = 35.0) -> None:
        """Ask every process to end, in the opposite order; kill those that do not."""
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
    """What a process said last, as far as it can be shown in one line."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL))
            text = file.read().decode("utf-8", "surrogateescape")
    except OSError:
        return ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return visible(lines[-1])[:_SHOWN] if lines else ""
