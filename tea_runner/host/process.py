"""A command in, its output out: the only file that starts processes.

No shell, no inherited environment, no inherited descriptors; every process leads its own group, which
is killed as a whole.  Long-lived ones read their standard input, whose end ends them, so that a killed
worker leaves nothing behind; sandboxes ask for the parent's death themselves (a ``preexec_fn`` would
make every start a full fork, 60 ms from a large process).
"""

from __future__ import annotations

import contextlib
import io
import os
import select
import signal
import subprocess  # noqa: TID251 - this is the one place
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from tea_runner.core.errors import CommandError, OutsideError

#: Asks :func:`start` for a stream to write to or read from.
PIPE = subprocess.PIPE
#: Asks it to throw away what the program writes.
DEVNULL = subprocess.DEVNULL


class Process(subprocess.Popen[bytes]):
    """A process that was started here."""

    def wait(self, timeout: float | None = None) -> int:
        """Its code, at its end.

        With a time to wait, Python looks again after ever longer pauses, a millisecond at least,
        which is as long as many a command of git takes; a pidfd says it at once.

        :raises Timeout: when it has not ended by then.
        """
        if timeout is not None and self.returncode is None:
            with contextlib.suppress(AttributeError, OSError):  # where there is no such thing
                ended = os.pidfd_open(self.pid)
                try:
                    end = select.poll()
                    end.register(ended, select.POLLIN)
                    end.poll(max(0.0, timeout) * 1000)
                finally:
                    os.close(ended)
        return super().wait(timeout)


#: It did not end within the time it was given.
Timeout = subprocess.TimeoutExpired


def run(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: str | Path | None = None,
    stdin: bytes | None = None,
    timeout: float | None = 600,
    check: bool = True,
    why: str = "",
    before: Sequence[str] = (),
) -> subprocess.CompletedProcess[bytes]:
    """Run a command to its end and return code, output and errors.

    :param before: a program that turns into the command, with its arguments; errors do not speak of it.
    :param timeout: seconds; the whole process group is killed after it.
    :raises CommandError: for a code other than 0, unless *check* is false.
    :raises OutsideError: when the program is missing or takes too long.
    """
    piped = subprocess.PIPE if stdin is not None else None
    process = start_process([*before, *argv], env=env, cwd=cwd, stdin=piped)
    try:
        out, err = process.communicate(stdin, timeout=timeout)
    except subprocess.TimeoutExpired as error:
        raise OutsideError(
            f"{why + ': ' if why else ''}{argv[0]} did not end within {timeout:g} s"
        ) from error
    finally:
        kill(process)
    done = subprocess.CompletedProcess(argv, process.returncode, out, err)
    if check and done.returncode:
        raise CommandError(tuple(argv), done.returncode, err.decode("utf-8", "replace"), why=why)
    return done


def start_process(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: str | Path | None = None,
    stdin: int | None = None,
    stderr: int | IO[bytes] | None = subprocess.PIPE,
    stdout: int | IO[bytes] | None = subprocess.PIPE,
    pass_fds: Sequence[int] = (),
) -> Process:
    """Start a process in a group of its own; the caller ends it with :func:`kill`."""
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
    """End a process and all of its group, if they still live, and reap it."""
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
    """All processes that a process has started, and those that they have."""
    found: list[int] = []
    with contextlib.suppress(OSError, ValueError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += [int(child), *descendants(int(child))]
    return found


def kill_descendants() -> None:
    """Kill everything below this process, at once."""
    for child in descendants(os.getpid()):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(child, signal.SIGKILL)


class Pipe:
    """One long-lived process that answers on its standard output, such as ``git cat-file``."""

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
            raise CommandError(self.argv, self.process.poll() or 0, why="it ended early") from error

    def line(self) -> bytes:
        """The next line of the answer, without its end.

        :raises CommandError: when the process has ended.
        """
        line = self.stdout.readline()
        if not line:
            raise CommandError(self.argv, self.process.poll() or 0, why="it ended early")
        return line.removesuffix(b"\n")

    def read(self, size: int) -> bytes:
        """Exactly *size* bytes of the answer."""
        data = self.stdout.read(size)
        if len(data) != size:
            raise CommandError(self.argv, self.process.poll() or 0, why="it ended early")
        return data

    def some(self) -> bytes:
        """As much of the answer as is there, one byte at least."""
        assert isinstance(self.stdout, io.BufferedReader)
        data = self.stdout.read1(1 << 16)
        if not data:
            raise CommandError(self.argv, self.process.poll() or 0, why="it ended early")
        return data

    @property
    def alive(self) -> bool:
        """Whether it can still be asked."""
        return self.process.poll() is None

    def close(self) -> None:
        """Let it write what it holds back, and end it."""
        with contextlib.suppress(OSError):
            self.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=60)
        kill(self.process)


class Dialog(Pipe):
    """One that answers in pieces with an end, and in time; it is read by :meth:`answer` alone."""

    _ahead = b""

    def answer(self, end: bytes = b"\n", timeout: float | None = None) -> bytes:
        """The next piece of what it says, without its end.

        :param timeout: seconds after which the process is killed.
        :raises CommandError: when it has ended, or was killed.
        """
        last = None if timeout is None else time.monotonic() + timeout
        piece, found, rest = self._ahead.partition(end)
        while not found:
            more = self._more(last)
            if not more:
                late = f", or did not answer within {timeout:g} s" if timeout is not None else ""
                raise CommandError(self.argv, self.process.poll() or 0, why=f"it ended early{late}")
            piece, found, rest = (self._ahead + more).partition(end)
            self._ahead += more
        self._ahead = rest
        return piece

    def _more(self, last: float | None) -> bytes:
        """Some bytes; none at its end, and none when it was too late and was killed."""
        # The reader of the parent class would not say what it holds back.
        descriptor = self.stdout.fileno()
        if last is not None:
            waiting = select.poll()
            waiting.register(descriptor, select.POLLIN)
            if not waiting.poll(max(0.0, last - time.monotonic()) * 1000):
                _kill_group(self.process)
                return b""
        return os.read(descriptor, 65536)


@contextlib.contextmanager
def pipe(
    argv: Sequence[str], *, env: Mapping[str, str], cwd: str | Path | None = None
) -> Iterator[Pipe]:
    """A :class:`Pipe` that is closed at the end."""
    opened = Pipe(argv, env=env, cwd=cwd)
    try:
        yield opened
    finally:
        opened.close()
