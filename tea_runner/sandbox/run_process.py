"""Start the process of a command and follow it to its end: the part that all environments share."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import NamedTuple

from tea_runner.core.errors import OutsideError
from tea_runner.sandbox.execution_environment import Execution
from tea_runner.sandbox.follow_command import (
    CommandWatch,
    End,
    MeasuredEnd,
    RunningCommand,
    drain,
    end_group,
    follow,
    open_stdin,
    pidfd,
)
from tea_runner.sandbox.output_watch import overflow
from tea_runner.sandbox.resource_limits import MemoryWatch


class FollowedProcess(NamedTuple):
    """How a process that was followed ended."""

    end: End
    #: The output limit that was exceeded, or empty.
    overflow: str
    #: Negative for a signal.
    code: int
    #: As in :class:`~tea_runner.sandbox.execution_environment.Outcome`.
    cpu: float | None = None
    memory: int | None = None


def run_process(
    execution: Execution,
    start: Callable[[int | None, int], RunningCommand],
    *,
    began: float,
    watch_memory: Callable[[int], Callable[[], bool] | None] = lambda _: None,
    guard: Callable[[int], AbstractContextManager[object]] = lambda _: contextlib.nullcontext(),
    command: Callable[[], int] | None = None,
) -> FollowedProcess:
    """Start a process that leads a process group, follow it, and kill the whole group at the end.

    :param start: called with descriptors: standard input (None for no input) and where both outputs go.
    :param began: ``time.monotonic()`` of the start.
    :param watch_memory: from the process id, a function that tells whether the memory limit is exceeded;
        it is called 20 times a second.
    :param guard: from the process id, a context that holds until just before the process is reaped.
    :param command: the process id of the command where the process is only its client; 0 while unknown.
    """
    with contextlib.ExitStack() as stack:
        exceeded_limit = overflow(execution, command or (lambda: process.pid))
        output, written = os.pipe()
        stack.callback(os.close, output)
        try:
            outputs = written if execution.terminal is None else execution.terminal
            process = start(open_stdin(execution, stack), outputs)
        finally:
            os.close(written)
        stack.callback(end_group, process)
        # Left before the process is reaped: its id may belong to another process afterwards.
        guarded = stack.enter_context(contextlib.ExitStack())
        guarded.enter_context(guard(process.pid))
        descriptor = pidfd(process, stack)
        ended = MeasuredEnd(lambda: process.poll() is not None, process.pid, descriptor)
        memory = watch_memory(process.pid)
        watch = CommandWatch(
            ended=ended,
            ended_fd=descriptor,
            oom=memory,
            oom_interval=0.05,
            overflow=exceeded_limit,
        )
        end, exceeded = follow(execution, output, watch, began=began)
        guarded.close()
        code = end_group(process)
        drain(execution, output)
    peak = (memory.peak if isinstance(memory, MemoryWatch) else 0) or None
    return FollowedProcess(end, exceeded, code, ended.cpu, peak)


def failed_start_code(printed: bytes) -> int:
    """Exit code, as a shell has it, of a command that a container engine could not start.

    :param printed: what the engine's client printed last; the OCI runtimes (runc, crun) and Apptainer
        have no exit code for this that differs from the command's own.
    :raises OutsideError: when the engine itself failed.
    """
    message = printed.decode("utf-8", "replace").strip()
    lower = message.lower()
    if "executable file" in lower or "no such file or directory" in lower:
        return 127
    if "exec" in lower and "permission denied" in lower:
        return 126
    raise OutsideError(f"the container could not be started: {message or 'no message'}")
