"""Run commands on this machine, each in a sandbox made by bubblewrap.

The command sees ``/usr`` and a small part of ``/etc`` read-only, its inputs below ``/pfs`` and its code at
``/dataset`` read-only, and can write to ``/pfs/out`` and a private ``/tmp``.  It has no network, no
capabilities, sees no other processes, and is denied many system calls; see ``docs/explanation/sandbox.md``.

Processes per command: ``bwrap`` outside, ``bwrap`` as the first process inside, the command.  When the
worker is root, the command has an unprivileged user outside, too: a user id that no account has is mapped
into the sandbox, and ``setpriv`` takes it before it executes the command.  (RLIMIT_NPROC does not limit
root, and root may read root's files.)

``bwrap --die-with-parent`` ends with the process that started it: the launcher of its cgroup, which ends
with the worker; or, without a cgroup, the calling *thread* (PR_SET_PDEATHSIG is per thread), which is why
:meth:`BubblewrapSandbox.run` stays in that thread until the end.
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from tea_runner.core.errors import OutsideError, Refused
from tea_runner.sandbox import job_user, resource_limits, seccomp, system_mounts
from tea_runner.sandbox.attach_network import attached_network, missing_programs
from tea_runner.sandbox.cgroup import MOUNT, Cgroups
from tea_runner.sandbox.command_mounts import writable
from tea_runner.sandbox.etc_folder import EtcFolder
from tea_runner.sandbox.execution_environment import (
    STANDARD_PATHS,
    Execution,
    Outcome,
    SandboxPaths,
    host_identity,
)
from tea_runner.sandbox.follow_command import (
    CommandWatch,
    MeasuredEnd,
    drain,
    follow,
    outcome,
    tee_tail,
)
from tea_runner.sandbox.network_filter import OWN_NETWORK, NetworkAccess
from tea_runner.sandbox.output_watch import overflow
from tea_runner.sandbox.start_bubblewrap import KILLED, start_process, start_sandbox

_INSTALL = "install bubblewrap 0.8 or newer (apt install bubblewrap)"
_INSIDE_A_CONTAINER = (
    "inside a container the sandbox needs --security-opt seccomp=unconfined and "
    "--security-opt systempaths=unconfined (and apparmor=unconfined where AppArmor is on); "
    "on a host, user namespaces must be on (sysctl user.max_user_namespaces, "
    "kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0)"
)


class BubblewrapSandbox:
    """Runs commands on this machine, each in a sandbox of its own.

    :param binds: host directories with software outside ``/usr``, shown read-only at their own paths;
        the running Python's are added.
    :param path: ``PATH`` of commands that have none.
    :param etc_root: where the copies of ``/etc`` are kept; see :class:`EtcFolder`.
    :param network: what commands with a network may reach.
    :param cgroups: where the cgroup file system is mounted.
    """

    name = "host"

    def __init__(
        self,
        *,
        binds: Sequence[Path] = (),
        path: str = "",
        etc_root: Path | None = None,
        network: NetworkAccess = OWN_NETWORK,
        cgroups: Path = MOUNT,
    ) -> None:
        self._etc = EtcFolder(etc_root)
        self._binds = (*system_mounts.interpreters(), *binds)
        self._path = path or system_mounts.default_path()
        self._groups = Cgroups(cgroups)
        self._network = network
        self._checked = False
        self._network_checked = False

    def check(self) -> str | None:
        """See :meth:`Environment.check`; the first call runs a command in a sandbox."""
        if self._checked:
            return None
        if platform.system() != "Linux":
            return (
                f"bubblewrap is for Linux, and this is {platform.system()}: give the pipelines an image "
                f"(transform.image), which docker or podman run here"
            )
        if shutil.which("bwrap") is None:
            return f"bubblewrap is missing: {_INSTALL}"
        if os.geteuid() == 0 and not Path("/usr/bin/setpriv").exists():
            return "setpriv is missing: install util-linux (apt install util-linux)"
        if platform.machine() not in seccomp.MACHINES:
            return (
                f"there is no filter of system calls for {platform.machine()} machines; "
                f"use a container, or sandbox: off"
            )
        try:
            problem = self._trial(network=False)
        except OutsideError as error:
            # An error with a hint is about something else, such as a full disk.
            return str(error) if error.hint else f"{error}; {_INSIDE_A_CONTAINER}"
        self._checked = not problem
        return problem or None

    def network_problem(self) -> str | None:
        """A sentence saying why commands cannot have a network of their own, or None.

        The first call runs a command in one.
        """
        if self._network.shared or self._network_checked:
            return None
        try:
            problem = missing_programs() or self._trial(network=True)
        except OutsideError as error:
            problem = str(error)
        self._network_checked = not problem
        return problem or None

    def _trial(self, *, network: bool) -> str:
        """Run a command that does nothing; what went wrong, or an empty text."""
        printed: list[bytes] = []
        trial = Execution(
            argv=("/usr/bin/env", "true"),
            env={},
            view=None,
            out=None,
            cwd="/",
            log=printed.append,
            timeout=20,
            network=network,
        )
        result = self._run(trial)
        if result.code == 0:
            return ""
        output = b"".join(printed).decode("utf-8", "replace").strip()
        return f"a trial command ended with code {result.code}: {output}"

    def identity(self, image: str) -> tuple[str, ...]:
        """The same on every host; versions of its software belong to the record."""
        return host_identity(image)

    def paths(self, *_: Path | None) -> SandboxPaths:
        """The same for all commands."""
        return STANDARD_PATHS

    def run(self, execution: Execution) -> Outcome:
        """Run the command to its end; its PID namespace is empty afterwards."""
        missing = self.check()
        if missing:
            raise Refused(f"the sandbox cannot be used: {missing}")
        missing = self.network_problem() if execution.network else None
        if missing:
            raise Refused(f"the command asks for a network: {missing}")
        return self._run(execution)

    def _run(self, execution: Execution) -> Outcome:
        user = job_user.unprivileged_user()
        job_user.chown_all(writable(execution), user)
        logged, last = tee_tail(execution)
        began = time.monotonic()
        with (
            self._groups.hold(execution.limits) as held,
            start_sandbox(
                logged,
                user=user,
                extra=self._binds,
                path=self._path,
                etc=self._etc,
                start_process=held[1].start if held else start_process,
                share_network=self._network.shared,
            ) as started,
            contextlib.ExitStack() as stack,
        ):
            group = held[0] if held else None
            try:
                resource_limits.apply_limits(
                    started.first_pid, execution.limits, memory_held=group is not None
                )
            except ProcessLookupError as error:
                raise OutsideError(f"the sandbox could not be made: {KILLED}") from error
            exceeded_limit = overflow(execution, lambda: started.first_pid)
            if execution.network and not self._network.shared:
                started.wait_for_loopback()
                stack.enter_context(attached_network(started.first_pid, self._network))
            started.release()
            measured = MeasuredEnd(started.ended, started.first_pid, started.pidfd)
            memory = (
                None
                if group
                else resource_limits.memory_watcher(started.first_pid, execution.limits)
            )
            watch = CommandWatch(
                ended=measured,
                ended_fd=started.pidfd,
                oom=group.oom if group else memory,
                oom_interval=0.1 if group else 0.05,
                overflow=exceeded_limit,
            )
            end, exceeded = follow(logged, started.output, watch, began=began)
            code = started.finish()
            drain(logged, started.output)
            oom = end == "oom" or (group is not None and group.oom())
            # None of a command that ended before the first look.
            peak = (group.peak if group else memory.peak if memory else 0) or None
        if end == "exited" and code is None and not oom:
            code = _failed_start_code(bytes(last))
        return outcome(end, code, exceeded, began=began, oom=oom, cpu=measured.cpu, memory=peak)


_NOT_STARTED = re.compile(rb"^bwrap: execvp .*: (.+)$", re.MULTILINE)


def _failed_start_code(last: bytes) -> int:
    """Exit code, as a shell has it, of a command that ``bwrap`` could not execute.

    :param last: the end of what was printed.
    :raises OutsideError: when the sandbox itself could not be made.
    """
    match = _NOT_STARTED.search(last)
    if match is None:
        message = last.decode("utf-8", "replace").strip()
        raise OutsideError(f"the sandbox could not be made: {message or KILLED}")
    return 127 if match[1] == b"No such file or directory" else 126
