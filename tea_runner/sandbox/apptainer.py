"""Run commands in Apptainer containers, started by an ordinary user.

The image is a file (``.sif``) or a directory on this machine, such as datalad-container keeps in a dataset.
Without systemd, Apptainer limits neither memory nor processes.  The limits per process are set with
prlimit(1), and the sum of the memory is watched, as without a sandbox; files, network and processes are
isolated by the container.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

from tea_runner.core.errors import OutsideError, Refused
from tea_runner.host import process
from tea_runner.sandbox import job_user, resource_limits
from tea_runner.sandbox.command_mounts import bind_option, mounts, working_directory, writable
from tea_runner.sandbox.execution_environment import (
    STANDARD_PATHS,
    Execution,
    Limits,
    Outcome,
    SandboxPaths,
)
from tea_runner.sandbox.follow_command import outcome, tee_tail, with_terminal
from tea_runner.sandbox.network_filter import OWN_NETWORK, NetworkAccess
from tea_runner.sandbox.run_process import failed_start_code, run_process

_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
#: Variables of the worker that Apptainer itself reads.
_CLIENT_VARIABLES = ("HOME", "PATH", "USER", "TMPDIR", "APPTAINER_TMPDIR", "APPTAINER_CACHEDIR")
#: Apptainer exits with this code when it fails itself; a command may do so, too.
_FAILURE_CODE = 255


class Apptainer:
    """Runs commands in images that are files or directories.

    :param variables: the worker's own variables.
    :param network: what commands with a network may reach.
    """

    name = "apptainer"

    def __init__(
        self, *, variables: Mapping[str, str], network: NetworkAccess = OWN_NETWORK
    ) -> None:
        self._network = network
        self._env = {key: variables[key] for key in _CLIENT_VARIABLES if key in variables}

    def check(self) -> str | None:
        """See :meth:`Environment.check`."""
        if shutil.which("apptainer", path=self._env.get("PATH")) is None:
            return "apptainer is missing: install apptainer 1.1 or newer"
        try:
            process.run(("apptainer", "version"), env=self._env, cwd="/", timeout=30)
        except OutsideError as error:
            return f"apptainer does not answer: {error}"
        return None

    def network_problem(self) -> str | None:
        """Apptainer, started by an ordinary user, makes no networks."""
        if self._network.shared:
            return None
        return (
            "apptainer cannot give a command a network of its own; use docker, podman or the host "
            "environment, or let commands share the host's network, with all that listens on its "
            "loopback: sandbox.share_host_network = true"
        )

    def identity(self, image: str) -> tuple[str, ...]:
        """The image's content identity, which the caller gives in place of a path.

        :raises Refused: for a path.
        """
        if not image or image.startswith(("/", ".")):
            raise Refused(
                f"image {image!r} is a path, not a content", hint="save it in the dataset"
            )
        return ("image", image)

    def paths(self, *_: Path | None) -> SandboxPaths:
        """The same for all commands."""
        return STANDARD_PATHS

    def run(self, execution: Execution) -> Outcome:
        """Run the command; ``execution.image`` is the path of the image on this machine.

        A root worker's command runs as an ordinary user, who must be able to reach the directories:
        Apptainer opens them as that user.

        :raises Refused: when the image does not exist.
        """
        if not Path(execution.image).exists():
            raise Refused(f"image {execution.image!r} is not on this machine")
        missing = self.network_problem() if execution.network else None
        if missing:
            raise Refused(f"the command asks for a network: {missing}")
        user = job_user.named_user()
        job_user.chown_all(writable(execution), user)
        logged, last = tee_tail(execution)
        began = time.monotonic()
        end, exceeded, code, cpu, memory = run_process(
            logged,
            lambda stdin, output: process.start_process(
                with_terminal(tuple(self._command(execution, user)), execution),
                env=self._variables(execution),
                cwd="/",
                stdin=stdin,
                stdout=output,
                stderr=output,
            ),
            began=began,
            watch_memory=lambda pid: resource_limits.memory_watcher(pid, execution.limits),
        )
        if end == "exited" and code == _FAILURE_CODE and b"FATAL:" in last:
            code = failed_start_code(bytes(last))
        return outcome(end, code, exceeded, began=began, cpu=cpu, memory=memory)

    def _variables(self, execution: Execution) -> dict[str, str]:
        """Apptainer's own variables, and the command's with the prefix that Apptainer removes.

        With the prefix they do not affect Apptainer itself.

        :raises Refused: for a name that is not a shell identifier.
        """
        for key in execution.env:
            if not _VARIABLE_NAME.fullmatch(key):
                raise Refused(f"{key!r} is no name of a variable")
        gpus = ",".join(map(str, execution.gpus))
        own = {"APPTAINERENV_CUDA_VISIBLE_DEVICES": gpus} if gpus else {}
        given = {f"APPTAINERENV_{key}": value for key, value in execution.env.items()}
        return self._env | given | own

    def _command(self, execution: Execution, user: int | None) -> list[str]:
        argv = [
            "apptainer",
            "--silent",
            # Without a command, the image's own runs.
            "exec" if execution.argv else "run",
            "--containall",
            "--no-home",
            # Variables would be evaluated by a shell otherwise.
            "--no-eval",
            "--cleanenv",
            # The administrator's own bind mounts would differ from machine to machine.
            "--no-mount",
            "hostfs,bind-paths",
            "--hostname",
            "sandbox",
            "--pwd",
            working_directory(execution),
        ]
        if not execution.network:
            argv += ["--net", "--network", "none"]
        if execution.gpus:
            argv += ["--nv"]
        if os.geteuid() == 0:
            argv += ["--drop-caps", "all"]
        for mount in mounts(execution):
            argv += ["--mount", bind_option(mount)]
        argv += [execution.image, *execution.argv]
        if user is not None:
            argv = [
                "setpriv",
                f"--reuid={user}",
                f"--regid={user}",
                "--clear-groups",
                "--",
                *argv,
            ]
        return [*_prlimit_prefix(execution.limits), *argv]


def _prlimit_prefix(limits: Limits) -> list[str]:
    """A prlimit(1) command that sets the limits and executes what follows.

    ``nproc`` counts the processes of the user, Apptainer's own among them.
    """
    most = limits.most_memory or limits.memory
    values = {
        "core": 0,
        "nproc": limits.processes,
        "fsize": limits.file_size,
        "nofile": limits.open_files,
        "cpu": limits.cpu_seconds,
        "data": None if most is None else resource_limits.data_limit(most),
    }
    options = [f"--{kind}={value}:{value}" for kind, value in values.items() if value is not None]
    return ["prlimit", *options, "--"]
