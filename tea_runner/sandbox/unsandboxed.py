"""Run commands on this machine without a sandbox (``sandbox: off``).

The command is trusted as its user is: it sees the whole machine and the network.  Only the timeout, the
cancellation and the kernel's limits per process apply.  Its process group is killed at its end, and at the
worker's; a daemon that leaves the group (``setsid``) outlives both.  ``/pfs`` cannot be made here: the
variables ``PFS`` and ``TEA_DATASET`` give the command its paths (see :meth:`Unsandboxed.paths`).
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tea_runner.core.errors import OutsideError, Refused
from tea_runner.host import process
from tea_runner.sandbox.execution_environment import (
    Execution,
    Limits,
    Outcome,
    SandboxPaths,
    host_identity,
)
from tea_runner.sandbox.follow_command import RunningCommand, outcome, with_terminal
from tea_runner.sandbox.run_process import run_process
from tea_runner.sandbox.system_mounts import default_path
from tea_runner.sandbox.worker_death_watchdog import Watchdogs

if sys.platform == "linux":
    from tea_runner.sandbox import resource_limits

#: Written to the log of every command that runs like this.
WARNING = "this command runs without a sandbox"


class _NotStarted(Exception):
    """The command could not be started; the reason is in its log."""


class Unsandboxed:
    """Runs commands on this machine with the worker's own rights.

    :param path: ``PATH`` of commands that have none.
    """

    name = "off"

    def __init__(self, *, path: str = "") -> None:
        self._path = path or default_path()
        self._watchdogs = Watchdogs()

    def check(self) -> str | None:
        """Always usable."""
        return None

    def network_problem(self) -> str | None:
        """Commands have the network of the host in any case."""
        return None

    def identity(self, image: str) -> tuple[str, ...]:
        """The same as in the sandbox: the same command has the same result."""
        return host_identity(image)

    def paths(self, view: Path | None, out: Path | None, code: Path | None) -> SandboxPaths:
        """The host's own paths."""
        return SandboxPaths(*("" if path is None else str(path) for path in (view, out, code)))

    def run(self, execution: Execution) -> Outcome:
        """Run the command to its end, then kill its process group.

        :raises Refused: when the execution has mounts.
        """
        if execution.mounts:
            raise Refused("without a sandbox nothing can be shown at a path of its own")
        began = time.monotonic()
        try:
            ran = run_process(
                execution,
                lambda stdin, output: self._start(execution, stdin, output),
                began=began,
                watch_memory=lambda pid: _limit(pid, execution.limits),
                guard=self._watchdogs.watch,
            )
        except _NotStarted:
            return Outcome(code=127, seconds=time.monotonic() - began)
        return outcome(ran.end, ran.code, ran.overflow, began=began, cpu=ran.cpu, memory=ran.memory)

    def _start(self, execution: Execution, stdin: int | None, output: int) -> RunningCommand:
        try:
            return process.start_process(
                with_terminal(execution.argv, execution),
                env={"PATH": self._path, **execution.env},
                cwd=_working_directory(execution),
                stdin=stdin,
                stdout=output,
                stderr=output,
            )
        except (OutsideError, PermissionError) as error:
            execution.log(f"{error}\n".encode())
            raise _NotStarted from error


def _limit(pid: int, limits: Limits) -> Callable[[], bool] | None:
    """Set the limits of a process that has just started, and return what watches its memory."""
    if sys.platform != "linux":
        return None
    with contextlib.suppress(ProcessLookupError):
        resource_limits.apply_limits(pid, limits, memory_held=False)
    return resource_limits.memory_watcher(pid, limits)


def _working_directory(execution: Execution) -> Path:
    base = execution.code or execution.out or execution.view or Path("/")
    return base / execution.cwd
