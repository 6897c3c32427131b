"""An execution in, how it ended out: on this machine, without a sandbox.

This is ``sandbox: off``: the command is trusted as its user is.  It sees the whole machine and the
network; only the clock, the cancellation and the kernel's limits per process hold.  Its process group
dies with it, and with the worker; a daemon that leaves the group (``setsid``) outlives both.  ``/pfs``
cannot be made here: the variables ``PFS`` and ``TEA_DATASET`` (see :meth:`places`) tell the command
where things are.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from pathlib import Path

from tea_runner.core.errors import OutsideError, Refused
from tea_runner.host import process
from tea_runner.sandbox.follow_command import (
    CommandWatch,
    RunningCommand,
    drain,
    end_group,
    end_of,
    follow,
    open_stdin,
    outcome,
)
from tea_runner.sandbox.output_limits import overflow
from tea_runner.sandbox.protocol import Execution, Outcome, Places
from tea_runner.sandbox.system_mounts import default_path
from tea_runner.sandbox.watchdog import Watchdogs

if sys.platform == "linux":
    from tea_runner.sandbox import resource_limits

#: Said in the log of every command that runs so.
WARNING = "this command runs without a sandbox"


class Unsandboxed:
    """Runs commands on this machine as the worker itself."""

    name = "off"

    def __init__(self, *, path: str = "") -> None:
        self._path = path or default_path()
        self._watchdogs = Watchdogs()

    def check(self) -> str | None:
        """Nothing can be missing."""
        return None

    def identity(self, image: str) -> tuple[str, ...]:
        """The same as in the sandbox: the same command, the same result."""
        if image:
            raise Refused(f"image {image!r} needs a container; the host environment has no images")
        return ("host",)

    def places(self, view: Path | None, out: Path | None, code: Path | None) -> Places:
        """The host's own paths."""
        return Places(*("" if place is None else str(place) for place in (view, out, code)))

    def run(self, execution: Execution) -> Outcome:
        """Run the command to its end; its process group is gone afterwards."""
        if execution.mounts:
            raise Refused("without a sandbox nothing can be shown at a path of its own")
        began = time.monotonic()
        reading, printed = os.pipe()
        with contextlib.ExitStack() as stack:
            stack.callback(os.close, reading)
            try:
                stdin = open_stdin(execution, stack)
                started = self._start(execution, stdin, printed)
            finally:
                os.close(printed)
            if started is None:
                return Outcome(code=127, seconds=time.monotonic() - began)
            stack.callback(end_group, started)
            watched = stack.enter_context(contextlib.ExitStack())
            watched.enter_context(self._watchdogs.over(started.pid))
            oom = None
            if sys.platform == "linux":
                with contextlib.suppress(ProcessLookupError):
                    resource_limits.apply_limits(started.pid, execution.limits, memory_held=False)
                oom = resource_limits.memory_watcher(started.pid, execution.limits)
            watch = CommandWatch(
                ended=lambda: started.poll() is not None,
                ended_fd=end_of(started, stack),
                oom=oom,
                oom_tick=0.05,
                overflow=overflow(execution.out, execution.limits),
            )
            end, sentence = follow(execution, reading, watch, began=began)
            # First: what it would end is about to be no group of ours any more.
            watched.close()
            code = end_group(started)
            drain(execution, reading)
        return outcome(end, code, sentence, began=began)

    def _start(
        self, execution: Execution, stdin: int | None, printed: int
    ) -> RunningCommand | None:
        env = {"PATH": self._path, **execution.env}
        try:
            return process.start_process(
                execution.argv,
                env=env,
                cwd=_working_directory(execution),
                stdin=stdin,
                stdout=printed,
                stderr=printed,
            )
        except (OutsideError, PermissionError) as error:
            execution.log(f"{error}\n".encode())
            return None


def _working_directory(execution: Execution) -> Path:
    base = execution.code or execution.out or execution.view or Path("/")
    return base / execution.cwd
