"""Start a bubblewrap sandbox that waits for limits and user map before it executes its command.

``bwrap`` gets its options and files on descriptors, none of which the command inherits.  It blocks before it
executes the command until :meth:`StartedSandbox.release`, so that limits, cgroup and user map are in force
before the command's first instruction.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import select
import shutil
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from tea_runner.core.errors import OutsideError
from tea_runner.host import process
from tea_runner.sandbox import bubblewrap_options, seccomp, system_mounts
from tea_runner.sandbox.bubblewrap_options import USER, Bind, SandboxLayout
from tea_runner.sandbox.cgroup_fork_client import in_memory
from tea_runner.sandbox.command_mounts import mounts, working_directory
from tea_runner.sandbox.etc_folder import FILES, EtcFolder
from tea_runner.sandbox.execution_environment import DEFAULT_SCRATCH, Execution
from tea_runner.sandbox.follow_command import RunningCommand, end_group, with_terminal
from tea_runner.sandbox.network_filter import RESOLV_CONF

#: Error message for a sandbox that was killed before its command began.
KILLED = "bwrap was killed"
_SETUP_SECONDS = 10.0


class StartedSandbox:
    """A sandbox and its processes; the command begins with :meth:`release`."""

    def __init__(self, bwrap: RunningCommand, *, output: int, status: int, gate: int) -> None:
        self._bwrap = bwrap
        self._status = status
        self._status_buffer = b""
        self._gate = gate
        self._mapped = False
        self._first_pidfd: int | None = None
        #: Read end of the pipe that the command prints to.
        self.output = output
        #: A pidfd: readable when ``bwrap`` has ended.
        self.pidfd = os.pidfd_open(bwrap.pid)
        #: Process id, outside, of the first process inside.
        self.first_pid = 0

    def wait_until_made(self, user: int | None) -> None:
        """Wait for the first process; write the user map of a sandbox that root started.

        The map has two users: root, who sets the sandbox up, and the command's own.

        :raises OutsideError: with bubblewrap's own message, when it could not make the sandbox.
        """
        line = self._status_line()
        if line is None:
            self._bwrap.wait()
            raise OutsideError(f"the sandbox could not be made: {self._message()}")
        self.first_pid = line["child-pid"]
        try:
            self._first_pidfd = os.pidfd_open(self.first_pid)
            if user is not None:
                self._mapped = True
                for name in ("gid_map", "uid_map"):
                    text = f"0 0 1\n{USER} {user} 1\n"
                    Path(f"/proc/{self.first_pid}/{name}").write_text(text, "ascii")
        except (ProcessLookupError, FileNotFoundError) as error:
            raise OutsideError(f"the sandbox could not be made: {KILLED}") from error

    def _status_line(self) -> dict[str, int] | None:
        """The next JSON line of ``bwrap --json-status-fd``; None when it ended without another."""
        while b"\n" not in self._status_buffer:
            data = os.read(self._status, 4096)
            if not data:
                return None
            self._status_buffer += data
        line, _, self._status_buffer = self._status_buffer.partition(b"\n")
        answer: dict[str, int] = json.loads(line)
        return answer

    def _message(self) -> str:
        """What was printed so far."""
        os.set_blocking(self.output, False)
        with contextlib.suppress(BlockingIOError):
            return os.read(self.output, 4096).decode("utf-8", "replace").strip() or KILLED
        return KILLED

    def wait_for_loopback(self) -> None:
        """Let ``bwrap`` set up the loopback interface, which it can do only before anybody else.

        :raises OutsideError: when it ends or hangs meanwhile.
        """
        self._open_gate(b"1" if self._mapped else b"")
        until = time.monotonic() + _SETUP_SECONDS
        routes = Path(f"/proc/{self.first_pid}/net/fib_trie")
        while time.monotonic() < until and not self.ended():
            with contextlib.suppress(OSError):
                if b"127.0.0.1" in routes.read_bytes():
                    return
            time.sleep(0.001)
        raise OutsideError(f"the sandbox could not be made: {self._message()}")

    def release(self) -> None:
        """Let the command begin: one byte each for ``--userns-block-fd`` and ``--block-fd``."""
        self._open_gate(b"11")

    def _open_gate(self, data: bytes) -> None:
        with contextlib.suppress(BrokenPipeError):
            os.write(self._gate, data)

    def ended(self) -> bool:
        """Whether the command has ended."""
        return self._bwrap.poll() is not None

    def finish(self) -> int | None:
        """Kill all processes inside and return the command's exit code; None if it never began."""
        self._kill_inside()
        self._bwrap.wait()
        line = self._status_line()
        return None if line is None else line["exit-code"]

    def _kill_inside(self) -> None:
        """Kill the first process of the PID namespace, with which all others end (pid_namespaces(7))."""
        if self._first_pidfd is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._first_pidfd, signal.SIGKILL)
            select.select([self._first_pidfd], [], [])

    def close(self) -> None:
        """Kill all processes and close the descriptors."""
        self._kill_inside()
        end_group(self._bwrap)
        if self._first_pidfd is not None:
            os.close(self._first_pidfd)
        for descriptor in (self.pidfd, self._status, self._gate, self.output):
            os.close(descriptor)


class StartProcess(Protocol):
    """Starts a program; see :meth:`tea_runner.sandbox.cgroup_fork_client.CgroupForkClient.start`."""

    def __call__(
        self, argv: Sequence[str], *, stdin: int, output: int, pass_fds: Sequence[int]
    ) -> RunningCommand:
        """Start a program."""
        ...


def start_process(
    argv: Sequence[str], *, stdin: int, output: int, pass_fds: Sequence[int]
) -> RunningCommand:
    """Start a program as a child of this thread."""
    return process.start_process(
        argv,
        env={"LC_ALL": "C"},
        cwd="/",
        stdin=stdin,
        stdout=output,
        stderr=output,
        pass_fds=pass_fds,
    )


@contextlib.contextmanager
def start_sandbox(
    execution: Execution,
    *,
    user: int | None,
    extra: tuple[Path, ...],
    path: str,
    etc: EtcFolder,
    start_process: StartProcess = start_process,
    share_network: bool = False,
) -> Iterator[StartedSandbox]:
    """A sandbox for the block, which is killed at its end with all processes inside.

    :param user: the unprivileged user of a root worker's command.
    :param extra: directories of the host shown read-only at their own paths.
    :param path: ``PATH`` of an execution that has none.
    :param etc: the copies of ``/etc``.
    :param start_process: starts ``bwrap``.
    :param share_network: whether a command with a network has that of the host; otherwise the caller
        attaches one.
    :raises OutsideError: when the sandbox cannot be made.
    """
    with contextlib.ExitStack() as ours:
        output, output_in = os.pipe()
        status, status_in = os.pipe()
        gate_out, gate = os.pipe()
        for descriptor in (output, status, gate):
            ours.callback(os.close, descriptor)
        with contextlib.ExitStack() as theirs:
            for descriptor in (output_in, status_in, gate_out):
                theirs.callback(os.close, descriptor)
            bwrap = _start(
                execution,
                theirs,
                user,
                extra,
                path,
                etc,
                start_process,
                share_network=share_network,
                printed=output_in if execution.terminal is None else execution.terminal,
                status=status_in,
                gate=gate_out,
            )
        started = StartedSandbox(bwrap, output=output, status=status, gate=gate)
        ours.pop_all()
        try:
            started.wait_until_made(user)
            yield started
        finally:
            started.close()


def _start(
    execution: Execution,
    stack: contextlib.ExitStack,
    user: int | None,
    extra: tuple[Path, ...],
    path: str,
    etc: EtcFolder,
    start_process: StartProcess,
    *,
    share_network: bool,
    printed: int,
    status: int,
    gate: int,
) -> RunningCommand:
    """Start ``bwrap``; descriptors that only it needs are closed with *stack*."""

    def memory_file(content: bytes) -> int:
        """A file in memory that is closed with *stack*."""
        descriptor = in_memory(content)
        stack.callback(os.close, descriptor)
        return descriptor

    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    stack.callback(os.close, null)
    if execution.terminal is not None:
        stdin = execution.terminal
    else:
        stdin = null if execution.stdin is None else memory_file(execution.stdin)
    if user is not None:
        # The command may open /dev/stdin and /dev/stdout by name, as its own user.
        os.fchown(printed, user, user)
        if execution.stdin is not None:
            os.fchown(stdin, user, user)
    env = {"PATH": path, **execution.env}
    mapped = user is not None
    own = tuple(
        Bind(source=str(mount.source), target=mount.target, writable=mount.writable)
        for mount in mounts(execution)
    )
    # Nothing can be mounted inside a directory that is shown as a whole.
    targets = [*map(str, extra), *(bind.target for bind in own)]
    shared = execution.network and share_network
    own_network = execution.network and not share_network
    etc_apart = own_network or any(name.startswith("/etc/") for name in targets)
    written = {**FILES, **({"/etc/resolv.conf": RESOLV_CONF} if own_network else {})}
    sandbox = SandboxLayout(
        system=system_mounts.system(extra, etc.binds(apart=etc_apart, network=shared)),
        links=system_mounts.links(),
        files=tuple((memory_file(text.encode()), name) for name, text in written.items())
        if etc_apart
        else (),
        binds=own,
        env=bubblewrap_options.bwrap_environment(env, mapped=mapped),
        cwd=working_directory(execution),
        devices=bubblewrap_options.gpu_devices(execution.gpus),
        scratch=execution.limits.scratch or DEFAULT_SCRATCH,
        network=shared,
        mapped=mapped,
        seccomp=memory_file(seccomp.filter_program(platform.machine())),
        status=status,
        gate=gate,
        null=null,
    )
    options = memory_file(
        b"".join(os.fsencode(o) + b"\0" for o in bubblewrap_options.options(sandbox))
    )
    # bwrap reads and closes these; the command would inherit any other.
    inherited = (options, sandbox.seccomp, status, gate, *((null,) if mapped else ()))
    return start_process(
        (
            shutil.which("bwrap") or "bwrap",
            "--args",
            str(options),
            "--",
            *bubblewrap_options.command(
                with_terminal(execution.argv, execution), env, mapped=mapped
            ),
        ),
        stdin=stdin,
        output=printed,
        pass_fds=(*inherited, *(descriptor for descriptor, _ in sandbox.files)),
    )
