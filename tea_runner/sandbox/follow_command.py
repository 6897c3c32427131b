"""Follow a running command: pass its output to the log, and stop at timeout, cancellation or limits.

One loop in the thread that started the command.  Output is passed on in chunks and not kept, so that a
flood of output takes no memory; timeout, cancellation and limits are checked between two chunks.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import select
import selectors
import signal
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from tea_runner.sandbox.execution_environment import Execution, Outcome

End = Literal["exited", "timed_out", "cancelled", "oom", "overflow"]

_CHUNK = 65536
_SIGNALS = frozenset(map(int, signal.valid_signals()))
#: Seconds between two checks of the cancellation.
_INTERVAL = 0.2


class RunningCommand(Protocol):
    """A process that leads a process group, as :func:`process.start_process` returns it."""

    @property
    def pid(self) -> int:
        """Process id."""
        ...

    def poll(self) -> int | None:
        """Exit code, negative for a signal; None while it runs."""
        ...

    def wait(self) -> int:
        """Wait for its end and return the exit code."""
        ...


def end_group(child: RunningCommand) -> int:
    """Kill a process group, even if its leader has ended, and return the leader's exit code."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    return child.wait()


def pidfd(child: RunningCommand, stack: contextlib.ExitStack) -> int | None:
    """A descriptor that becomes readable when a process ends; None on systems without pidfds."""
    if not hasattr(os, "pidfd_open"):
        return None
    descriptor = os.pidfd_open(child.pid)
    stack.callback(os.close, descriptor)
    return descriptor


def ended_by(code: int | None) -> int | None:
    """The signal that an exit code as shells show it stands for."""
    return code - 128 if code is not None and code - 128 in _SIGNALS else None


def tee_tail(execution: Execution) -> tuple[Execution, bytearray]:
    """The execution with a log that also keeps the last 4 KiB: they may be the environment's own errors."""
    last = bytearray()

    def log(chunk: bytes) -> None:
        last[:] = (last + chunk[-4096:])[-4096:]
        execution.log(chunk)

    return dataclasses.replace(execution, log=log), last


def open_stdin(execution: Execution, stack: contextlib.ExitStack) -> int | None:
    """A descriptor of the command's standard input, closed with *stack*; None for no input."""
    if execution.terminal is not None:
        descriptor = os.dup(execution.terminal)
        stack.callback(os.close, descriptor)
        return descriptor
    if execution.stdin is None:
        return None
    file = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - the stack's
    file.write(execution.stdin)
    file.seek(0)
    return file.fileno()


def with_terminal(argv: tuple[str, ...], execution: Execution) -> tuple[str, ...]:
    """The command as leader of a session that the execution's terminal controls, if it has one."""
    return argv if execution.terminal is None else ("/usr/bin/setsid", "-c", "-w", *argv)


def processor_seconds(pid: int) -> float | None:
    """Processor time of a process that has ended and is not reaped, with its reaped children (proc(5))."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2].split()
        return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError):
        return None


class MeasuredEnd:
    """Whether a command has ended; keeps its processor time, which is known until it is reaped.

    :param has_ended: asks, and reaps it.
    :param pid: the process whose children are measured.  In a sandbox it is the first one inside, which
        somebody else reaps: a slow look finds nothing, and nothing is measured.
    :param descriptor: pidfd of the process that ends; without one nothing is measured.
    """

    def __init__(self, has_ended: Callable[[], bool], pid: int, descriptor: int | None) -> None:
        self._has_ended = has_ended
        self._pid = pid
        self._descriptor = descriptor
        self.cpu: float | None = None

    def __call__(self) -> bool:
        """Whether it has ended."""
        if self.cpu is None and self._descriptor is not None:
            if not select.select([self._descriptor], [], [], 0)[0]:
                return False
            self.cpu = processor_seconds(self._pid)
        return self._has_ended()


def outcome(
    end: End,
    code: int | None,
    exceeded: str = "",
    *,
    began: float,
    oom: bool = False,
    cpu: float | None = None,
    memory: int | None = None,
) -> Outcome:
    """Make an :class:`Outcome`; the exit code of a command that tea-runner ended is left out.

    :param code: as a shell shows it, or negative for a signal.
    """
    if end != "exited":
        code = None
    elif code is not None and code < 0:
        code = 128 - code
    return Outcome(
        code=code,
        signal=ended_by(code),
        timed_out=end == "timed_out",
        cancelled=end == "cancelled",
        oom=oom or end == "oom",
        overflow=exceeded,
        seconds=time.monotonic() - began,
        cpu=cpu,
        memory=memory,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class CommandWatch:
    """The checks that are made while a command runs."""

    #: Whether it has ended; called in every round.
    ended: Callable[[], bool]
    #: A descriptor that becomes readable at the end, on systems that have pidfds.
    ended_fd: int | None = None
    #: Whether the memory limit is exceeded.
    oom: Callable[[], bool] | None = None
    #: Seconds between two checks of memory: short where only this check enforces the limit.
    oom_interval: float = 0.2
    #: Returns the output limit that is exceeded, or an empty text.
    overflow: Callable[[], str] | None = None


def follow(
    execution: Execution, output: int, watch: CommandWatch, *, began: float
) -> tuple[End, str]:
    """Pass output on until the command ends or must be ended.

    :param output: read end of the pipe that the command prints to; it is made non-blocking.
    :param began: ``time.monotonic()`` of the start.
    :returns: the kind of end, and the exceeded output limit or an empty text.
    """
    os.set_blocking(output, False)
    interval = min(_INTERVAL, watch.oom_interval) if watch.oom else _INTERVAL
    deadline = began + execution.timeout if execution.timeout is not None else None
    cancel_checked = memory_checked = outputs_checked = began
    pause = 0.5
    with selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        if watch.ended_fd is not None:
            selector.register(watch.ended_fd, selectors.EVENT_READ)
        reading = True
        while not watch.ended():
            now = time.monotonic()
            if deadline is not None and now >= deadline:
                return "timed_out", ""
            if now - cancel_checked >= _INTERVAL:
                cancel_checked = now
                if execution.cancelled():
                    return "cancelled", ""
            if watch.oom and now - memory_checked >= watch.oom_interval:
                memory_checked = now
                if watch.oom():
                    return "oom", ""
            if watch.overflow and now - outputs_checked >= pause:
                exceeded = watch.overflow()
                if exceeded:
                    return "overflow", exceeded
                # A tree with many files takes long to walk: walk it less often.
                outputs_checked = time.monotonic()
                pause = max(0.5, 10 * (outputs_checked - now))
            wait = interval if deadline is None else min(interval, deadline - now)
            if watch.ended_fd is None:
                wait = min(wait, 0.01)
            for key, _ in selector.select(max(wait, 0.0)):
                if key.fd == output and reading and not _pass_on(execution, output):
                    # It has closed its output and still runs.
                    selector.unregister(output)
                    reading = False
    return "exited", ""


def _pass_on(execution: Execution, output: int) -> bool:
    """Pass one chunk to the log; returns False at the end of the output."""
    try:
        chunk = os.read(output, _CHUNK)
    except BlockingIOError:
        return True
    if chunk:
        execution.log(chunk)
    return bool(chunk)


def drain(execution: Execution, output: int) -> None:
    """Pass on what is left in the pipe, without waiting for more.

    A pipe holds at most 1 MiB (/proc/sys/fs/pipe-max-size); 2 MiB are read at most, in case a process
    that left the group still writes.
    """
    with contextlib.suppress(BlockingIOError):
        for _ in range(32):
            chunk = os.read(output, _CHUNK)
            if not chunk:
                break
            execution.log(chunk)
