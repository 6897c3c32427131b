"""Start processes, wait for them, talk to them and kill them.

Every process leads a process group of its own, which is killed as a whole.  No shell is used, and neither
environment nor descriptors are inherited.  Long-lived processes read from a pipe and end at its end, so
that a killed worker leaves none behind.  (``preexec_fn`` with PR_SET_PDEATHSIG would do the same, but makes
``subprocess`` fork instead of vfork: 60 ms from a large process.)

``tests/test_house.py`` lists the few other files that may start a program, with the reason.
"""

from __future__ import annotations

import contextlib
import io
import os
import select
import signal
import subprocess  # noqa: TID251 - all other modules start processes through this one
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from tea_runner.core.errors import CommandError, OutsideError

#: Value for a stream of :func:`start_process`: connect it to a pipe.
PIPE = subprocess.PIPE
#: Value for a stream of :func:`start_process`: discard what is written to it.
DEVNULL = subprocess.DEVNULL

#: Raised by :meth:`Process.wait` when the process is still running after the timeout.
Timeout = subprocess.TimeoutExpired


class Process(subprocess.Popen[bytes]):
    """A child process whose :meth:`wait` returns as soon as the process ends."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end of the process and return its exit code.

        With a timeout, :meth:`subprocess.Popen.wait` polls at growing intervals of at least 1 ms, as long
        as many git commands take.  A pidfd becomes readable at once (pidfd_open(2)).

        :param timeout: seconds.
        :raises Timeout: when the process is still running after that time.
        """
        if timeout is not None and self.returncode is None:
            with contextlib.suppress(AttributeError, OSError):  # no pidfd on this system
                pidfd = os.pidfd_open(self.pid)
                try:
                    poll = select.poll()
                    poll.register(pidfd, select.POLLIN)
                    poll.poll(max(0.0, timeout) * 1000)
                finally:
                    os.close(pidfd)
        return super().wait(timeout)


def run(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: str | Path | None = None,
    stdin: bytes | IO[bytes] | None = None,
    stdout: IO[bytes] | None = None,
    timeout: float | None = 600,
    check: bool = True,
    why: str = "",
    prefix: Sequence[str] = (),
) -> subprocess.CompletedProcess[bytes]:
    """Run a command to its end and return its exit code and output.

    :param stdin: what it reads: bytes, or an open file.
    :param stdout: an open file for its output, which is returned otherwise.
    :param timeout: seconds; the process group is killed after it.
    :param why: what the command is for; error messages begin with it.
    :param prefix: a command that executes *argv*, such as prlimit(1) with options; error messages leave
        it out.
    :raises CommandError: when the exit code is not 0 and *check* is true.
    :raises OutsideError: when the program does not exist or does not end in time.
    """
    data, source = (stdin, PIPE) if isinstance(stdin, bytes) else (None, stdin)
    process = start_process(
        [*prefix, *argv],
        env=env,
        cwd=cwd,
        stdin=source,
        stdout=PIPE if stdout is None else stdout,
    )
    try:
        out, err = process.communicate(data, timeout=timeout)
    except subprocess.TimeoutExpired as error:
        raise OutsideError(
            f"{why + ': ' if why else ''}{argv[0]} did not end within {timeout:g} s"
        ) from error
    finally:
        kill(process)
    done = subprocess.CompletedProcess(argv, process.returncode, out or b"", err)
    if check and done.returncode:
        raise CommandError(
            tuple(argv),
            done.returncode,
            err.decode("utf-8", "replace"),
            stdout=done.stdout.decode("utf-8", "replace"),
            cwd=str(cwd or ""),
            why=why,
        )
    return done


def start_process(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: str | Path | None = None,
    stdin: int | IO[bytes] | None = None,
    stderr: int | IO[bytes] | None = subprocess.PIPE,
    stdout: int | IO[bytes] | None = subprocess.PIPE,
    pass_fds: Sequence[int] = (),
) -> Process:
    """Start a process in a group of its own; the caller ends it with :func:`kill`.

    :param stdin: a descriptor, an open file or :data:`PIPE`; without it the process reads ``/dev/null``.
    :raises OutsideError: when the program or the working directory does not exist.
    """
    try:
        return Process(
            list(argv),
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL if stdin is None else stdin,
            stdout=stdout,
            stderr=stderr,
            pass_fds=pass_fds,
            process_group=0,
        )
    except FileNotFoundError as error:
        missing = error.filename or argv[0]
        raise OutsideError(f"cannot start {argv[0]}: {missing} does not exist") from error


def kill(process: Process) -> None:
    """Kill a process with its group if it still runs, reap it, and close its pipes."""
    if process.poll() is None:
        _kill_group(process)
        process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()


def _kill_group(process: Process) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def descendants(pid: int) -> list[int]:
    """Process ids of the children of a process, their children, and so on (Linux only)."""
    pids: list[int] = []
    with contextlib.suppress(OSError, ValueError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                pids += [int(child), *descendants(int(child))]
    return pids


def kill_descendants() -> None:
    """Kill all descendants of this process."""
    for child in descendants(os.getpid()):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(child, signal.SIGKILL)


class PipedProcess:
    """A long-lived process that reads requests and writes answers, such as ``git cat-file --batch``.

    Every method that writes or reads raises CommandError when the process has ended.
    """

    def __init__(
        self, argv: Sequence[str], *, env: Mapping[str, str], cwd: str | Path | None = None
    ) -> None:
        self.argv = tuple(argv)
        self.process = start_process(
            argv, env=env, cwd=cwd, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.stdin = self.process.stdin
        self.stdout = self.process.stdout

    def send(self, data: bytes) -> None:
        """Write a request and flush it."""
        try:
            self.stdin.write(data)
            self.stdin.flush()
        except (BrokenPipeError, ValueError) as error:
            raise self.ended_early() from error

    def read(self, size: int) -> bytes:
        """Read exactly *size* bytes."""
        data = self.stdout.read(size)
        if len(data) != size:
            raise self.ended_early()
        return data

    def read_available(self) -> bytes:
        """Read what is available, at least one byte and at most 64 KiB."""
        assert isinstance(self.stdout, io.BufferedReader)
        data = self.stdout.read1(1 << 16)
        if not data:
            raise self.ended_early()
        return data

    def ended_early(self, detail: str = "") -> CommandError:
        """The error for a process that ended before it had answered."""
        return CommandError(self.argv, self.process.poll() or 0, why=f"it ended early{detail}")

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self.process.poll() is None

    def close(self) -> None:
        """Close its standard input, give it 60 s to finish its output, then kill it."""
        with contextlib.suppress(OSError):
            self.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=60)
        kill(self.process)


class BatchProcess:
    """A long-lived process that answers each request with one delimited record, within a time limit.

    For programs such as ``git annex … --batch`` and ``git check-attr --stdin``.
    """

    def __init__(
        self, argv: Sequence[str], *, env: Mapping[str, str], cwd: str | Path | None = None
    ) -> None:
        self._piped = PipedProcess(argv, env=env, cwd=cwd)
        #: Bytes that were read beyond the last record.
        self._buffer = b""

    @property
    def process(self) -> Process:
        """The process itself."""
        return self._piped.process

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._piped.alive

    def send(self, data: bytes) -> None:
        """Write a request and flush it.

        :raises CommandError: when the process has ended.
        """
        self._piped.send(data)

    def receive(self, end: bytes = b"\n", timeout: float | None = None) -> bytes:
        """Read the next record, without its delimiter.

        :param timeout: seconds for the whole record; the process is killed after it.
        :raises CommandError: when the process has ended or was killed.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        record, delimiter, rest = self._buffer.partition(end)
        while not delimiter:
            data = self._read(deadline)
            if not data:
                late = f", or did not answer within {timeout:g} s" if timeout is not None else ""
                raise self._piped.ended_early(late)
            record, delimiter, rest = (self._buffer + data).partition(end)
            self._buffer += data
        self._buffer = rest
        return record

    def _read(self, deadline: float | None) -> bytes:
        """Some bytes; none at the end of the output, or when the deadline has passed."""
        # Not through the buffered reader: poll(2) does not see what that one holds back.
        descriptor = self._piped.stdout.fileno()
        if deadline is not None:
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
                _kill_group(self.process)
                return b""
        return os.read(descriptor, 65536)

    def close(self) -> None:
        """Let the process finish its work, then end it; see :meth:`PipedProcess.close`."""
        self._piped.close()
