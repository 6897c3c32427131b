"""Run commands in containers of Docker or Podman, through their command-line clients.

A container is run with ``create``, ``start``, ``wait``, ``inspect`` and ``rm``, not with ``run --rm``:
through Podman's Docker-compatible socket that one may exit with 0 (podman#18889), and killing its client
leaves the container running.  Each container has a label that names the worker's process, so that
:meth:`ContainerEngine.remove_containers_of_dead_workers` finds the containers of workers that died.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tea_runner.core.errors import CommandError, OutsideError, Refused
from tea_runner.core.spec.image_reference import ImageReference, parse_image
from tea_runner.host import process
from tea_runner.sandbox import job_user
from tea_runner.sandbox.command_mounts import bind_option, mounts, working_directory, writable
from tea_runner.sandbox.container_variables import container_variables
from tea_runner.sandbox.engine_images import ImageMissing, local_image, pull_image
from tea_runner.sandbox.execution_environment import (
    DEFAULT_SCRATCH,
    STANDARD_PATHS,
    Execution,
    Limits,
    Outcome,
    SandboxPaths,
)
from tea_runner.sandbox.follow_command import RunningCommand, outcome, tee_tail
from tea_runner.sandbox.image_policy import NO_IMAGES, ImagePolicy
from tea_runner.sandbox.network_filter import OWN_NETWORK, NetworkAccess
from tea_runner.sandbox.process_identity import has_died, process_label
from tea_runner.sandbox.run_process import failed_start_code, run_process

_LABEL = "io.tea-runner.worker"
_DIGEST = re.compile(r"[^\s@]+@(sha256:[0-9a-f]{64})|(sha256:[0-9a-f]{64})")
#: Variables that the client reads: where the engine and the user's settings are.
_CLIENT_VARIABLES = (
    "HOME",
    "PATH",
    "USER",
    "DOCKER_HOST",
    "DOCKER_CONFIG",
    "DOCKER_CONTEXT",
    "CONTAINER_HOST",
    "CONTAINERS_CONF",
    "CONTAINERS_STORAGE_CONF",
    "CONTAINERS_REGISTRIES_CONF",
    "XDG_RUNTIME_DIR",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "TMPDIR",
)


class ContainerEngine:
    """Runs commands in containers.

    :param name: ``docker`` or ``podman``: also the program.
    :param variables: the worker's own variables.
    :param network: what commands with a network may reach.
    :param images: whether images that are not here may be pulled.
    """

    def __init__(
        self,
        name: str,
        *,
        variables: Mapping[str, str],
        network: NetworkAccess = OWN_NETWORK,
        images: ImagePolicy = NO_IMAGES,
    ) -> None:
        self.name = name
        self._network = network
        self._images = images
        self._own = variables
        self.variables = {key: variables[key] for key in _CLIENT_VARIABLES if key in variables}

    def check(self) -> str | None:
        """See :meth:`Environment.check`."""
        if shutil.which(self.name, path=self.variables.get("PATH")) is None:
            return f"{self.name} is missing: install it, or take another environment"
        try:
            self._client("version", "--format", "json", timeout=30)
        except OutsideError as error:
            return f"{self.name} does not answer; is its engine running? {error}"
        return None

    def network_problem(self) -> str | None:
        """None: the engine makes its networks itself."""
        return None

    def identity(self, image: str) -> tuple[str, ...]:
        """The image's digest, which is the same in every registry and engine.

        :raises Refused: for an image without a digest.
        """
        match = _DIGEST.fullmatch(image)
        if match is None:
            raise Refused(
                f"image {image!r} has no digest, so it may be another one tomorrow",
                hint="write it as name@sha256:…",
            )
        return ("image", match[1] or match[2])

    def paths(self, *_: Path | None) -> SandboxPaths:
        """The same for all commands."""
        return STANDARD_PATHS

    def run(self, execution: Execution) -> Outcome:
        """Run the command in a new container, which is removed at the end."""
        self.identity(execution.image)
        variables = container_variables(execution.env, execution.secret_variables)
        name = f"tea-{uuid.uuid4().hex}"
        user = job_user.unprivileged_user()
        job_user.chown_all(writable(execution), user)
        logged, last = tee_tail(execution)
        with contextlib.ExitStack() as stack:
            # conmon(8) writes a file "oom" into the directory where the client starts.
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tea-")))
            # Readable by this user only.
            file = stack.enter_context(
                tempfile.NamedTemporaryFile("w", encoding="ascii", suffix=".env")
            )
            file.write(variables.file)
            file.flush()
            stack.callback(self._remove, name)
            options = (
                *self._create(execution, name, user),
                f"--env-file={file.name}",
                *variables.options,
                *("--mount=" + bind_option(mount) for mount in mounts(execution)),
                "--",
            )
            self._with_image(
                execution.image,
                lambda image: self._client(
                    *options,
                    image,
                    *execution.argv,
                    why=f"creating a container of {image}",
                    env=variables.client,
                ),
            )
            # Pulling an image is not the datum's time.
            began = time.monotonic()
            end, exceeded, *_ = run_process(
                logged,
                lambda stdin, output: self._start(name, stdin, output, cwd=directory),
                began=began,
                command=self._first_process(name),
            )
            # The client may have ended while the container still runs.
            self._client("kill" if end != "exited" else "wait", name, check=False)
            state = self._state(name)
            if end == "exited" and not _ran(state):
                code = failed_start_code(bytes(last))
                return Outcome(code=code, seconds=time.monotonic() - began)
        # Podman does not always set OOMKilled (podman#13102): under a memory limit, a SIGKILL
        # that tea-runner did not send counts as one.
        oom = bool(state.get("OOMKilled")) or (
            end == "exited" and state.get("ExitCode") == 137 and bool(execution.limits.memory)
        )
        return outcome(end, int(state.get("ExitCode", 1)), exceeded, began=began, oom=oom)

    def local_image(self, image: ImageReference, preferred: str) -> str:
        """See :func:`~tea_runner.sandbox.engine_images.local_image`."""
        return local_image(self._client, image, preferred)

    def _with_image(self, image: str, create: Callable[[str], object]) -> None:
        """Create a container; if its image is not here, pull it before.

        :raises Refused: when the image may not be pulled, or does not exist.
        """
        reference = parse_image(image)
        # Podman refuses a name with both a tag and a digest.
        name = reference.at(reference.digest) if reference and reference.digest else image
        try:
            create(name)
        except ImageMissing:
            if reference is None or not self._images.may_pull(reference):
                raise
            plain = reference.host in self._images.plain
            pull_image(self._client, self.name, name, self._own, plain=plain)
            create(name)

    def remove_containers_of_dead_workers(self) -> tuple[str, ...]:
        """Remove the containers of this machine's workers that have died; returns their names.

        :raises OutsideError: when the engine does not answer.
        """
        listed = self._client("ps", "--all", "--quiet", "--filter", f"label={_LABEL}").split()
        removed = []
        for identity in listed:
            with contextlib.suppress(CommandError):  # removed in the meantime
                answer = self._client("inspect", "--type=container", identity.decode())
                facts = json.loads(answer)[0]
                if has_died(facts["Config"]["Labels"][_LABEL]):
                    name = facts["Name"].lstrip("/")
                    self._remove(name)
                    removed.append(name)
        return tuple(removed)

    def _start(self, name: str, stdin: int | None, output: int, *, cwd: Path) -> RunningCommand:
        """Start a container; the attached client prints what it prints, and ends with it."""
        interactive = ["--interactive"] if stdin is not None else []
        return process.start_process(
            [self.name, "start", "--attach", *interactive, name],
            env=self.variables,
            cwd=cwd,
            stdin=stdin,
            stdout=output,
            stderr=output,
        )

    def _create(self, execution: Execution, name: str, user: int | None) -> list[str]:
        limits = execution.limits
        scratch = limits.scratch or DEFAULT_SCRATCH
        owner = (user, user) if user is not None else (os.geteuid(), os.getegid())
        argv = [
            "create",
            "--name",
            name,
            "--label",
            f"{_LABEL}={process_label()}",
            "--pull=never",
            "--read-only",
            "--cap-drop=all",
            "--security-opt=no-new-privileges",
            "--ipc=private",
            "--hostname=sandbox",
            "--ulimit=core=0:0",
            f"--tmpfs=/tmp:rw,nosuid,nodev,size={scratch}",
            f"--shm-size={max(scratch // 4, 4096)}",
            "--log-driver=none",
            f"--user={owner[0]}:{owner[1]}",
        ]
        if execution.argv or execution.cwd:
            argv += [f"--workdir={working_directory(execution)}"]
        if execution.argv:
            # Without a command, the image's own runs.
            argv += ["--entrypoint="]
        if self.name == "podman":
            argv += ["--read-only-tmpfs=false"]
            if os.geteuid() != 0:
                argv += ["--userns=keep-id"]
        argv += [f"--network={self._network_of(execution)}"]
        if execution.stdin is not None or execution.terminal is not None:
            argv += ["--interactive"]
        if execution.terminal is not None:
            argv += ["--tty"]
        return argv + self._gpu_options(execution.gpus) + _limit_options(limits)

    def _gpu_options(self, gpus: tuple[int, ...]) -> list[str]:
        """Graphics processors by number: Docker's own option, and CDI devices of Podman."""
        if self.name == "podman":
            return [f"--device=nvidia.com/gpu={number}" for number in gpus]
        # The value is a row of comma-separated values, so that a list of numbers is quoted.
        return [f'--gpus="device={",".join(map(str, gpus))}"'] if gpus else []

    def _network_of(self, execution: Execution) -> str:
        """The network of a container, named so that the engine's settings do not choose the host's."""
        if not execution.network:
            return "none"
        if self._network.shared:
            return "host"
        return self._network.engine_network or ("private" if self.name == "podman" else "bridge")

    def _first_process(self, name: str) -> Callable[[], int]:
        """A function that returns the id of a container's first process; 0 where it is not seen here.

        The engine may run in a virtual machine, in which the id belongs to another process.
        """
        found = 0

        def look() -> int:
            nonlocal found
            if not found:
                with contextlib.suppress(CommandError, OSError):
                    answer = json.loads(self._client("inspect", "--type=container", name))[0]
                    pid = int(answer["State"]["Pid"])
                    if answer["Id"] in Path(f"/proc/{pid}/cgroup").read_text("ascii", "replace"):
                        found = pid
            return found

        return look

    def _state(self, name: str) -> dict[str, Any]:
        answer = json.loads(self._client("inspect", "--type=container", name))
        state: dict[str, Any] = answer[0]["State"]
        return state

    def _remove(self, name: str) -> None:
        # Podman sends SIGTERM and waits ten seconds by default; Docker kills at once.
        no_wait = ("--time=0",) if self.name == "podman" else ()
        self._client("rm", "--force", *no_wait, "--volumes", name, check=False)

    def _client(
        self,
        *argv: str,
        check: bool = True,
        why: str = "",
        timeout: float = 120,
        env: Mapping[str, str] = MappingProxyType({}),
    ) -> bytes:
        try:
            return process.run(
                (self.name, *argv),
                env={**env, **self.variables},
                cwd="/",
                check=check,
                why=why,
                timeout=timeout,
            ).stdout
        except CommandError as error:
            if "no such image" in error.stderr.lower() or "image not known" in error.stderr.lower():
                raise ImageMissing(
                    f"{why}: the image is not on this machine",
                    hint=f"pull it there: {self.name} pull IMAGE",
                ) from error
            raise


def _ran(state: dict[str, Any]) -> bool:
    """Whether the command was started; the exit code means nothing if it was not."""
    return not str(state.get("StartedAt", "")).startswith("0001-") and not state.get("Error")


def _limit_options(limits: Limits) -> list[str]:
    argv = []
    if limits.memory is not None:
        # memory-swap is the sum of memory and swap: equal values allow no swap.
        argv += [f"--memory={limits.memory}", f"--memory-swap={limits.memory}"]
    if limits.cpus is not None:
        argv += [f"--cpus={limits.cpus:g}"]
    if limits.processes is not None:
        argv += [f"--pids-limit={limits.processes}"]
    # Without these options an engine raises the limits to its defaults, which a root without
    # CAP_SYS_RESOURCE may not; Podman lowers its own limit of processes to 32,768 before.
    files, processes = (
        resource.getrlimit(kind)[1] for kind in (resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC)
    )
    values = {
        "nofile": min(limits.open_files or files, files) if files >= 0 else limits.open_files,
        "nproc": min(processes, 32_768) if processes >= 0 else 32_768,
        "fsize": limits.file_size,
        "cpu": limits.cpu_seconds,
    }
    argv += [f"--ulimit={kind}={value}:{value}" for kind, value in values.items() if value]
    return argv
