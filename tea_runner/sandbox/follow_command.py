"""A started command and the pipe it prints to in, why to stop following it out.

One loop, in the thread that started the command: output goes to the log as it comes (nothing is
kept, so a flood costs no memory), the clock, the cancellation and the limits are looked at between
two chunks.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import selectors
import signal
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from tea_runner.sandbox.protocol import Execution, Outcome

End = Literal["exited", "timed_out", "cancelled", "oom", "overflow"]

_CHUNK = 65536
_SIGNALS = frozenset(map(int, signal.valid_signals()))
#: Seconds between two looks at the cancellation.
_TICK = 0.2


class RunningCommand(Protocol):
    """A started process that leads a group of its own, as ``process.start`` gives it."""

    @property
    def pid(self) -> int:
        """Its number."""
        ...

    def poll(self) -> int | None:
        """Its code, when it has ended; negative for a signal."""
        ...

    def wait(self) -> int:
        """Its code, at its end."""
        ...


def end_group(child: RunningCommand) -> int:
    """End a process and its group, also when only the group is left; its code."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    return child.wait()


def end_of(child: RunningCommand, stack: contextlib.ExitStack) -> int | None:
    """A descriptor that becomes readable at a process's end; None where the system has no such thing."""
    if not hasattr(os, "pidfd_open"):
        return None
    descriptor = os.pidfd_open(child.pid)
    stack.callback(os.close, descriptor)
    return descriptor


def ended_by(code: int | None) -> int | None:
    """The signal that a shell's code stands for."""
    return code - 128 if code is not None and code - 128 in _SIGNALS else None


def tee_tail(execution: Execution) -> tuple[Execution, bytearray]:
    """The same execution, and the last of what it prints: they may be the environment's own words."""
    last = bytearray()

    def log(chunk: bytes) -> None:
        last[:] = (last + chunk[-4096:])[-4096:]
        execution.log(chunk)

    return dataclasses.replace(execution, log=log), last


def open_stdin(execution: Execution, stack: contextlib.ExitStack) -> int | None:
    """A descriptor of what the command reads, until *stack* ends; None where it reads nothing."""
    if execution.stdin is None:
        return None
    file = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - the stack's
    file.write(execution.stdin)
    file.seek(0)
    return file.fileno()


def outcome(
    end: End, code: int | None, sentence: str = "", *, began: float, oom: bool = False
) -> Outcome:
    """How it ended, from what :func:`follow` said and the code; a code of ours is none.

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
        overflow=sentence,
        seconds=time.monotonic() - began,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class CommandWatch:
    """What is looked at while the command runs."""

    #: Whether it has ended; cheap.
    ended: Callable[[], bool]
    #: A descriptor that becomes readable at the end, where the system has such a thing.
    ended_fd: int | None = None
    #: Whether it has taken more memory than it may.
    oom: Callable[[], bool] | None = None
    #: Seconds between two looks at that: few, where nothing but this look holds the limit.
    oom_tick: float = 0.2
    #: A sentence when the outputs have passed a limit.
    overflow: Callable[[], str] | None = None


def follow(
    execution: Execution, output: int, watch: CommandWatch, *, began: float
) -> tuple[End, str]:
    """Hand the output on until the command ends or has to be ended.

    :param output: read end of the pipe, which this sets to non-blocking.
    :param began: ``time.monotonic()`` of the start.
    :returns: the end, and the sentence that belongs to it where there is one.
    """
    os.set_blocking(output, False)
    tick = min(_TICK, watch.oom_tick) if watch.oom else _TICK
    deadline = began + execution.timeout if execution.timeout is not None else None
    asked = weighed = measured = began
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
            if now - asked >= _TICK:
                asked = now
                if execution.cancelled():
                    return "cancelled", ""
            if watch.oom and now - weighed >= watch.oom_tick:
                weighed = now
                if watch.oom():
                    return "oom", ""
            if watch.overflow and now - measured >= pause:
                sentence = watch.overflow()
                if sentence:
                    return "overflow", sentence
                # a tree with many files takes long to look at: then look less often
                measured = time.monotonic()
                pause = max(0.5, 10 * (measured - now))
            wait = tick if deadline is None else min(tick, deadline - now)
            if watch.ended_fd is None:
                wait = min(wait, 0.01)
            for key, _ in selector.select(max(wait, 0.0)):
                if key.fd == output and reading and not _pass_on(execution, output):
                    # it closed its output and goes on
                    selector.unregister(output)
                    reading = False
    return "exited", ""


def _pass_on(execution: Execution, output: int) -> bool:
    """One chunk to the log; False at the end of the output."""
    try:
        chunk = os.read(output, _CHUNK)
    except BlockingIOError:
        return True
    if chunk:
        execution.log(chunk)
    return bool(chunk)


def drain(execution: Execution, output: int) -> None:
    """What is left in the pipe after the end, without waiting for more.

    A pipe holds at most 1 MiB; whoever still writes to it after that is not listened to.
    """
    with contextlib.suppress(BlockingIOError):
        for _ in range(32):
            chunk = os.read(output, _CHUNK)
            if not chunk:
                break
            execution.log(chunk)
