"""An execution in, a sandbox that waits at its gate out.

``bwrap`` is started with all it needs on descriptors, none of which the command inherits; it stops
before the command until :meth:`StartedSandbox.open_gate`, so that limits, cgroup and the map of users are
in force before the command's first instruction.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import select
import shutil
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from tea_runner.core.errors import OutsideError
from tea_runner.host import process
from tea_runner.sandbox import bubblewrap_options, seccomp, system_mounts
from tea_runner.sandbox.bubblewrap_options import USER, Bind, SandboxLayout
from tea_runner.sandbox.cgroup_launcher import in_memory
from tea_runner.sandbox.etc_folder import FILES, EtcFolder
from tea_runner.sandbox.follow_command import RunningCommand, end_group
from tea_runner.sandbox.mounts import mounts, working_directory
from tea_runner.sandbox.protocol import Execution

#: What is said of a sandbox that somebody ended before its command began.
ENDED = "bwrap was ended"
#: Of the private /tmp where no limit is given.
SCRATCH = 1 << 30


class StartedSandbox:
    """A sandbox and its processes; the command waits at the gate."""

    def __init__(self, bwrap: RunningCommand, *, output: int, status: int, gate: int) -> None:
        self._bwrap = bwrap
        self._status = status
        self._heard = b""
        self._gate = gate
        self._first: int | None = None
        #: Read end of what the command prints.
        self.output = output
        #: Becomes readable when ``bwrap`` has ended.
        self.monitor = os.pidfd_open(bwrap.pid)
        #: The first process inside, by its number outside.
        self.first = 0

    def appear(self, user: int | None) -> None:
        """Wait for the first process; tell root's sandbox its two users.

        They are root, who sets it up, and the command's own.

        :raises OutsideError: with bubblewrap's own words, when it could not make the sandbox.
        """
        line = self._line()
        if line is None:
            self._bwrap.wait()
            raise OutsideError(f"the sandbox could not be made: {self._said()}")
        self.first = line["child-pid"]
        try:
            self._first = os.pidfd_open(self.first)
            if user is not None:
                for name in ("gid_map", "uid_map"):
                    text = f"0 0 1\n{USER} {user} 1\n"
                    Path(f"/proc/{self.first}/{name}").write_text(text, "ascii")
        except (ProcessLookupError, FileNotFoundError) as error:
            raise OutsideError(f"the sandbox could not be made: {ENDED}") from error

    def _line(self) -> dict[str, int] | None:
        """The next of bwrap's lines about itself; None when it has ended without another."""
        while b"\n" not in self._heard:
            piece = os.read(self._status, 4096)
            if not piece:
                return None
            self._heard += piece
        line, _, self._heard = self._heard.partition(b"\n")
        answer: dict[str, int] = json.loads(line)
        return answer

    def _said(self) -> str:
        os.set_blocking(self.output, False)
        with contextlib.suppress(BlockingIOError):
            return os.read(self.output, 4096).decode("utf-8", "replace").strip() or ENDED
        return ENDED

    def open_gate(self) -> None:
        """Let the command begin: one byte for the outer bwrap, one for the inner."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self._gate, b"11")

    def ended(self) -> bool:
        """Whether the command has ended."""
        return self._bwrap.poll() is not None

    def finish(self) -> int | None:
        """End all that still lives inside, and say the command's code; None if it never began."""
        self._empty()
        self._bwrap.wait()
        line = self._line()
        return None if line is None else line["exit-code"]

    def _empty(self) -> None:
        """The first process of a PID namespace is gone only when all others are."""
        if self._first is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._first, signal.SIGKILL)
            select.select([self._first], [], [])

    def close(self) -> None:
        """End what lives, close what is open."""
        self._empty()
        end_group(self._bwrap)
        if self._first is not None:
            os.close(self._first)
        for descriptor in (self.monitor, self._status, self._gate, self.output):
            os.close(descriptor)


class StartProcess(Protocol):
    """Starts a program; see :meth:`tea_runner.sandbox.cgroup_launcher.Launcher.start`."""

    def __call__(
        self, argv: Sequence[str], *, stdin: int, output: int, pass_fds: Sequence[int]
    ) -> RunningCommand:
        """Start it."""
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
) -> Iterator[StartedSandbox]:
    """A started sandbox that is gone at the end, with all that runs in it.

    :param user: the ordinary user a root worker's command becomes.
    :param extra: directories of the host shown read-only at their own paths.
    :param path: ``PATH`` where the execution names none.
    :param etc: what is shown of ``/etc``.
    :param start_process: what starts ``bwrap``.
    :raises OutsideError: when the sandbox cannot be made.
    """
    with contextlib.ExitStack() as ours:
        output, printed = os.pipe()
        status, status_in = os.pipe()
        gate_out, gate = os.pipe()
        for descriptor in (output, status, gate):
            ours.callback(os.close, descriptor)
        with contextlib.ExitStack() as theirs:
            for descriptor in (printed, status_in, gate_out):
                theirs.callback(os.close, descriptor)
            bwrap = _start(
                execution,
                theirs,
                user,
                extra,
                path,
                etc,
                start_process,
                printed=printed,
                status=status_in,
                gate=gate_out,
            )
        started = StartedSandbox(bwrap, output=output, status=status, gate=gate)
        ours.pop_all()
        try:
            started.appear(user)
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
    printed: int,
    status: int,
    gate: int,
) -> RunningCommand:
    """Start ``bwrap``; the descriptors on *stack* are only for it."""

    def held(content: bytes) -> int:
        """A file in memory that goes with *stack*."""
        descriptor = in_memory(content)
        stack.callback(os.close, descriptor)
        return descriptor

    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    stack.callback(os.close, null)
    stdin = null if execution.stdin is None else held(execution.stdin)
    if user is not None:
        # so that /dev/stdin and /dev/stdout can be opened again by their names
        os.fchown(printed, user, user)
        if execution.stdin is not None:
            os.fchown(stdin, user, user)
    env = {"PATH": path, **execution.env}
    mapped = user is not None
    own = tuple(
        Bind(source=str(mount.source), target=mount.target, writable=mount.writable)
        for mount in mounts(execution)
    )
    # Nothing can be put into a folder that is shown whole.
    below = [*map(str, extra), *(bind.target for bind in own)]
    apart = any(name.startswith("/etc/") for name in below)
    sandbox = SandboxLayout(
        system=system_mounts.system(extra, etc.binds(apart=apart, network=execution.network)),
        links=system_mounts.links(),
        files=tuple((held(text.encode()), name) for name, text in FILES.items()) if apart else (),
        binds=own,
        env=bubblewrap_options.early(env, mapped=mapped),
        cwd=working_directory(execution),
        scratch=execution.limits.scratch or SCRATCH,
        network=execution.network,
        mapped=mapped,
        seccomp=held(seccomp.filter_program(platform.machine())),
        status=status,
        gate=gate,
        null=null,
    )
    options = held(b"".join(os.fsencode(o) + b"\0" for o in bubblewrap_options.options(sandbox)))
    # the command would inherit what bwrap does not read and close
    inherited = (options, sandbox.seccomp, status, gate, *((null,) if mapped else ()))
    return start_process(
        (
            shutil.which("bwrap") or "bwrap",
            "--args",
            str(options),
            "--",
            *bubblewrap_options.command(execution.argv, env, mapped=mapped),
        ),
        stdin=stdin,
        output=printed,
        pass_fds=(*inherited, *(descriptor for descriptor, _ in sandbox.files)),
    )
