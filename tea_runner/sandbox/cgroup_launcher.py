"""A control group in, processes that are in it from their first instruction on out.

To join a control group costs a grace period of the kernel, 5 to 10 ms in which nothing happens
(``docs/decisions/0007``); to be started in one costs nothing.  So a small process of ours joins it
once and starts what is to run there.
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

_PROGRAM = Path(__file__).with_name("cgroup_launcher_program.py")
#: Seconds after which a launcher that does not answer is taken for dead.
_PATIENCE = 60.0


def in_memory(content: bytes) -> int:
    """A descriptor of a file in memory, to be read from its start; whoever asks closes it."""
    descriptor = os.memfd_create("tea", os.MFD_CLOEXEC)
    while content:
        content = content[os.write(descriptor, content) :]
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


class LaunchedProcess:
    """A process that a launcher has started; as ``process.start`` would give it."""

    def __init__(self, launcher: CgroupLauncher, pid: int) -> None:
        self.pid = pid
        self._launcher = launcher
        self._code: int | None = None
        # It keeps its number until the launcher is told to reap it, or is dead.
        self._end = os.pidfd_open(pid)

    def poll(self) -> int | None:
        """Its code, when it has ended; negative for a signal."""
        if self._code is None and select.select([self._end], [], [], 0)[0]:
            os.close(self._end)
            self._code = self._launcher.reap(self.pid)
        return self._code

    def wait(self) -> int:
        """Its code, at its end."""
        if self._code is None:
            select.select([self._end], [], [])
        code = self.poll()
        assert code is not None
        return code


class CgroupLauncher:
    """One launcher; for one thread at a time.

    :raises OutsideError: from :meth:`start`, when it has died.
    """

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
        ours.settimeout(_PATIENCE)

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it can still be asked."""
        return self._process.poll() is None

    def start(
        self,
        argv: Sequence[str],
        *,
        stdin: int,
        output: int,
        pass_fds: Sequence[int],
    ) -> LaunchedProcess:
        """Start a program by its full path, in a process group of its own.

        :param output: what it prints on both of its outputs goes there.
        :param pass_fds: descriptors that it finds at the same numbers.
        :raises OutsideError: when the program, or the launcher itself, is not there.
        """
        words = in_memory(b"".join(os.fsencode(word) + b"\0" for word in argv))
        try:
            targets = " ".join(map(str, (0, 1, 2, *pass_fds)))
            word, number = self._ask(
                f"start {targets}", (words, stdin, output, output, *pass_fds)
            ) or ("error", 0)
        finally:
            os.close(words)
        if word == "pid":
            # Somebody may have killed both by now.
            with contextlib.suppress(ProcessLookupError):
                return LaunchedProcess(self, number)
            number = 0
        why = os.strerror(number) if number else "its launcher has died"
        raise OutsideError(f"cannot start {argv[0]}: {why}")

    def reap(self, pid: int) -> int:
        """The code of a process that has ended; that of a kill, when nobody knows it any more."""
        answer = self._ask(f"reap {pid}")
        return answer[1] if answer else -9

    def _ask(self, text: str, descriptors: Sequence[int] = ()) -> tuple[str, int] | None:
        """A question, and its answer; None from the dead."""
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
        """End it, and all that it started."""
        self._channel.close()
        process.kill(self._process)
