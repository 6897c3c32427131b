"""Client of the launcher process, which starts commands inside a cgroup.

Moving a process into a cgroup takes an RCU grace period, 5 to 10 ms (``docs/decisions/0007``); a child starts
in its parent's cgroup at no cost.  So one small process joins the cgroup and starts all commands in it.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from tea_runner.core.errors import OutsideError
from tea_runner.host import process

_PROGRAM = Path(__file__).with_name("cgroup_fork_server.py")
#: Seconds after which a launcher that does not answer is killed.
_TIMEOUT = 60.0


def in_memory(content: bytes) -> int:
    """Descriptor of a new file in memory, at its beginning; the caller closes it."""
    descriptor = os.memfd_create("tea", os.MFD_CLOEXEC)
    while content:
        content = content[os.write(descriptor, content) :]
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


class ForkedProcess:
    """A process that a launcher has started; see :class:`follow_command.RunningCommand`."""

    def __init__(self, launcher: CgroupForkClient, pid: int) -> None:
        self.pid = pid
        self._launcher = launcher
        self._code: int | None = None
        # The process id is not reused before the launcher reaps the process or dies.
        self._pidfd = os.pidfd_open(pid)

    def poll(self) -> int | None:
        """Exit code, negative for a signal; None while it runs."""
        if self._code is None and select.select([self._pidfd], [], [], 0)[0]:
            os.close(self._pidfd)
            self._code = self._launcher.reap(self.pid)
        return self._code

    def wait(self) -> int:
        """Wait for its end and return the exit code."""
        if self._code is None:
            select.select([self._pidfd], [], [])
        code = self.poll()
        assert code is not None
        return code


class CgroupForkClient:
    """A launcher process; for one thread at a time."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            number = theirs.fileno()
            self._process = process.start_process(
                (sys.executable, "-I", "-S", str(_PROGRAM), str(number)),
                env={},
                cwd="/",
                stdout=process.DEVNULL,
                stderr=process.DEVNULL,
                pass_fds=(number,),
            )
        self._channel = ours
        ours.settimeout(_TIMEOUT)

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def start(
        self,
        argv: Sequence[str],
        *,
        stdin: int,
        output: int,
        pass_fds: Sequence[int],
    ) -> ForkedProcess:
        """Start a program, given by its full path, in a process group of its own.

        :param output: descriptor for standard output and standard error.
        :param pass_fds: descriptors that it inherits under the same numbers.
        :raises OutsideError: when the program does not exist or the launcher has died.
        """
        arguments = in_memory(b"".join(os.fsencode(each) + b"\0" for each in argv))
        try:
            targets = " ".join(map(str, (0, 1, 2, *pass_fds)))
            word, number = self._request(
                f"start {targets}", (arguments, stdin, output, output, *pass_fds)
            ) or ("error", 0)
        finally:
            os.close(arguments)
        if word == "pid":
            # It fails if launcher and process were killed in the meantime.
            with contextlib.suppress(ProcessLookupError):
                return ForkedProcess(self, number)
            number = 0
        why = os.strerror(number) if number else "its launcher has died"
        raise OutsideError(f"cannot start {argv[0]}: {why}")

    def reap(self, pid: int) -> int:
        """The exit code of a process that has ended; -9 when the launcher has died."""
        answer = self._request(f"reap {pid}")
        return answer[1] if answer else -9

    def _request(self, text: str, descriptors: Sequence[int] = ()) -> tuple[str, int] | None:
        """Send a request and return the answer; None when the launcher has died."""
        try:
            if descriptors:
                socket.send_fds(self._channel, [text.encode("ascii")], descriptors)
            else:
                self._channel.send(text.encode("ascii"))
            answer = self._channel.recv(100)
        except OSError:
            answer = b""
        if not answer:
            process.kill(self._process)
            return None
        word, _, number = answer.decode("ascii").partition(" ")
        return word, int(number)

    def close(self) -> None:
        """Kill it; the processes that it started die with it."""
        self._channel.close()
        process.kill(self._process)
