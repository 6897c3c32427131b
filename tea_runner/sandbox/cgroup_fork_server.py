"""Program that starts commands in its own cgroup, on request.

It is started once for each cgroup and moved into it; its children are in the cgroup from their first
instruction on.  It imports nothing of tea-runner, to be small and start fast.

Its only argument is the descriptor of a socket of packets (SOCK_SEQPACKET).  Requests are:

``start N…``, with descriptors
    The first descriptor is of a file with the command line, each argument ended by NUL.  The others become
    the descriptors N of the new process, which leads a process group.  Answer: ``pid P``, or ``error E``
    with an errno.
``reap P``
    Answer: ``code C``, see :func:`os.waitstatus_to_exitcode`.  The process id is not reused before.

The program ends at the end of the socket, and its children die with it (``bwrap --die-with-parent``).
"""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import sys

#: Environment of the processes that it starts.
_ENV = {"LC_ALL": "C"}
_MAX_DESCRIPTORS = 64


def serve(channel: socket.socket) -> None:
    """Answer requests until the end of the socket."""
    while True:
        request, descriptors, _, _ = socket.recv_fds(channel, 4096, _MAX_DESCRIPTORS)
        if not request:
            return
        verb, *numbers = request.split()
        channel.send(
            start(descriptors, [int(n) for n in numbers])
            if verb == b"start"
            else reap(int(numbers[0]))
        )


def start(descriptors: list[int], targets: list[int]) -> bytes:
    """Execute the command line in the first descriptor, with the others as descriptors *targets*."""
    # Above all targets, so that dup2 overwrites none of them.
    base = max(targets) + 1
    held: list[int] = []
    try:
        for descriptor in descriptors:
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
            # Python ignores these two signals; a command expects the default.
            setsigdef=(signal.SIGPIPE, signal.SIGXFSZ),
        )
    except OSError as error:
        return b"error %d" % (error.errno or 0)
    finally:
        for descriptor in held:
            os.close(descriptor)
    return b"pid %d" % pid


def reap(pid: int) -> bytes:
    """Wait for a process and return its exit code."""
    _, status = os.waitpid(pid, 0)
    return b"code %d" % os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    os.chdir("/")
    number = int(sys.argv[1])
    # The commands must not inherit the socket.
    os.set_inheritable(number, False)
    serve(socket.socket(fileno=number))
