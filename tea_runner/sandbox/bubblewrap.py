"""An execution in, how it ended out: on this machine, in a sandbox made by bubblewrap.

The command sees ``/usr`` and little of ``/etc`` read-only, its inputs below ``/pfs`` and its code
at ``/dataset`` read-only, ``/pfs/out`` and a private ``/tmp``; no network, no other process, no
capability, few system calls.  ``docs/explanation/sandbox.md`` tells the whole of it.

Processes per command: ``bwrap`` outside, ``bwrap`` as the first process inside, the command.
Started by root, the command is an ordinary user outside, too: we map one that nobody else has
into the sandbox (the kernel's limit on processes does not hold for root, and root's files are
root's to read), and ``setpriv`` becomes it before it turns into the command.

``bwrap`` dies with whoever started it: the launcher of its control group, which dies with us; or,
where there is no such group, our *thread* (PDEATHSIG is per thread), so :meth:`run` stays in the
calling thread until the end.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from tea_runner.core.errors import OutsideError, Refused
from tea_runner.sandbox import job_user, resource_limits, seccomp, system_mounts
from tea_runner.sandbox.cgroup import Cgroups
from tea_runner.sandbox.etc_folder import EtcFolder
from tea_runner.sandbox.follow_command import CommandWatch, drain, follow, outcome, tee_tail
from tea_runner.sandbox.mounts import writable
from tea_runner.sandbox.output_limits import overflow
from tea_runner.sandbox.protocol import DATASET, OUT, PFS, Execution, Outcome, Places
from tea_runner.sandbox.start_sandbox import ENDED, start_process, start_sandbox

_INSTALL = "install bubblewrap 0.8 or newer (apt install bubblewrap)"
_INSIDE_A_CONTAINER = (
    "inside a container the sandbox needs --security-opt seccomp=unconfined and "
    "--security-opt systempaths=unconfined (and apparmor=unconfined where AppArmor is on); "
    "on a host, user namespaces must be on (sysctl user.max_user_namespaces, "
    "kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0)"
)


class BubblewrapSandbox:
    """Runs commands on this machine, each in a sandbox of its own.

    :param binds: host directories shown read-only at their own paths: software that does not live
        below ``/usr``. The running Python's are always among them.
    :param path: ``PATH`` of commands that are given none.
    :param place: a folder in which to keep what is shown of ``/etc``.
    """

    name = "host"

    def __init__(
        self, *, binds: Sequence[Path] = (), path: str = "", place: Path | None = None
    ) -> None:
        self._etc = EtcFolder(place)
        self._binds = (*system_mounts.interpreters(), *binds)
        self._path = path or system_mounts.default_path()
        self._groups = Cgroups()
        self._works = False

    def check(self) -> str | None:
        """Whether a sandbox can be had here, found out by making one."""
        if self._works:
            return None
        if shutil.which("bwrap") is None:
            return f"bubblewrap is missing: {_INSTALL}"
        if os.geteuid() == 0 and not Path("/usr/bin/setpriv").exists():
            return "setpriv is missing: install util-linux (apt install util-linux)"
        if platform.machine() not in seccomp.MACHINES:
            return (
                f"there is no filter of system calls for {platform.machine()} machines; "
                f"use a container, or sandbox: off"
            )
        said: list[bytes] = []
        trial = Execution(
            argv=("/usr/bin/env", "true"),
            env={},
            view=None,
            out=None,
            cwd="/",
            log=said.append,
            timeout=20,
        )
        try:
            outcome = self._run(trial)
        except OutsideError as error:
            return f"{error}; {_INSIDE_A_CONTAINER}"
        if outcome.code != 0:
            heard = b"".join(said).decode("utf-8", "replace").strip()
            return f"a trial command ended with code {outcome.code}: {heard}"
        self._works = True
        return None

    def identity(self, image: str) -> tuple[str, ...]:
        """The host is one environment wherever it is; what is known of it belongs to the record."""
        if image:
            raise Refused(f"image {image!r} needs a container; the host environment has no images")
        return ("host",)

    def places(self, *_: Path | None) -> Places:
        """The same for all."""
        return Places(pfs=PFS, out=OUT, dataset=DATASET)

    def run(self, execution: Execution) -> Outcome:
        """Run the command to its end; its PID namespace is empty afterwards."""
        missing = self.check()
        if missing:
            raise Refused(f"the sandbox cannot be had: {missing}")
        return self._run(execution)

    def _run(self, execution: Execution) -> Outcome:
        user = job_user.ordinary_user()
        job_user.give_all(writable(execution), user)
        heard, last = tee_tail(execution)
        began = time.monotonic()
        with (
            self._groups.hold(execution.limits) as held,
            start_sandbox(
                heard,
                user=user,
                extra=self._binds,
                path=self._path,
                etc=self._etc,
                start_process=held[1].start if held else start_process,
            ) as started,
        ):
            group = held[0] if held else None
            try:
                resource_limits.apply_limits(
                    started.first, execution.limits, memory_held=group is not None
                )
            except ProcessLookupError as error:
                raise OutsideError(f"the sandbox could not be made: {ENDED}") from error
            started.open_gate()
            watch = CommandWatch(
                ended=started.ended,
                ended_fd=started.monitor,
                oom=group.oom
                if group
                else resource_limits.memory_watcher(started.first, execution.limits),
                oom_tick=0.2 if group else 0.05,
                overflow=overflow(execution.out, execution.limits),
            )
            end, sentence = follow(heard, started.output, watch, began=began)
            code = started.finish()
            drain(heard, started.output)
            oom = end == "oom" or (group is not None and group.oom())
        if end == "exited" and code is None and not oom:
            code = _never_began(bytes(last))
        return outcome(end, code, sentence, began=began, oom=oom)


_NOT_STARTED = re.compile(rb"^bwrap: execvp .*: (.+)$", re.MULTILINE)


def _never_began(last: bytes) -> int:
    """The code of a command that could not be started, as a shell has it.

    :raises OutsideError: when not even the sandbox came about.
    """
    match = _NOT_STARTED.search(last)
    if match is None:
        words = last.decode("utf-8", "replace").strip()
        raise OutsideError(f"the sandbox could not be made: {words or ENDED}")
    return 127 if match[1] == b"No such file or directory" else 126
