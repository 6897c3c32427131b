"""Descriptors and a command line in, a process in this process's own control group out: a program.

It is started once for each control group and joins it; what it starts is in the group from its first
instruction on.  Nothing of tea-runner is imported: it has to be small and quick to start.

Each message is one packet on the socket whose number is its only argument:

``start N…``, with descriptors
    The first of them holds the command line, each word ended by NUL.  The others become the numbers
    N of the new process, which leads a process group of its own.  Answer: ``pid P`` or ``error E``.
``reap P``
    Answer: ``code C``, as Python's ``waitstatus_to_exitcode`` has it.  Until it is asked for, the
    process keeps its number.

The end of the socket ends it, and all that it started dies with it (``bwrap --die-with-parent``).
"""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import sys

#: What a process inherits besides.
_ENV = {"LC_ALL": "C"}
_MOST = 64


def serve(channel: socket.socket) -> None:
    """Do as is asked until nobody is there to ask."""
    while True:
        asked, handed, _, _ = socket.recv_fds(channel, 4096, _MOST)
        if not asked:
            return
        word, *numbers = asked.split()
        channel.send(
            start(handed, [int(n) for n in numbers]) if word == b"start" else reap(int(numbers[0]))
        )


def start(handed: list[int], targets: list[int]) -> bytes:
    """Start what the first descriptor says, with the others at these numbers."""
    # Out of the way of all the numbers that they may have to become.
    base = max(targets) + 1
    held: list[int] = []
    try:
        for descriptor in handed:
            held.append(fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, base))
            os.close(descriptor)
        with open(held[0], "rb", closefd=False) as file:
            argv = file.read().split(b"\0")[:-1]
        pid = os.posix_spawn(
            argv[0],
            argv,
            _ENV,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, source, target)
                for source, target in zip(held[1:], targets, strict=True)
            ],
            setpgroup=0,
            # Python ignores these two; a command expects them as they are everywhere.
            setsigdef=(signal.SIGPIPE, signal.SIGXFSZ),
        )
    except OSError as error:
        return b"error %d" % (error.errno or 0)
    finally:
        for descriptor in held:
            os.close(descriptor)
    return b"pid %d" % pid


def reap(pid: int) -> bytes:
    """The code of a process that has ended, or ends soon."""
    _, status = os.waitpid(pid, 0)
    return b"code %d" % os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    os.chdir("/")
    number = int(sys.argv[1])
    # Nothing that is started here can ask for anything.
    os.set_inheritable(number, False)
    serve(socket.socket(fileno=number))
