"""An execution in, how it ended out: in a container of docker or podman, by their command line.

``create``, ``start``, ``wait``, ``inspect``, ``rm`` and never ``run --rm``: through podman's
docker-compatible socket that one always ends with 0, and a client that is killed ends no container.
Each container carries the worker's process as a label, so that :meth:`Engine.sweep` finds what a
dead worker left behind.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tea_runner.adapters import process
from tea_runner.adapters.environments.mounts import mounts, working_directory
from tea_runner.adapters.environments.overflow import overflow
from tea_runner.adapters.environments.protocol import (
    DATASET,
    OUT,
    PFS,
    Execution,
    Limits,
    Outcome,
    Places,
)
from tea_runner.adapters.environments.supervise import Watch, drain, end_group, follow
from tea_runner.core.errors import CommandError, OutsideError, Refused

#: Of the private /tmp where no limit is given.
SCRATCH = 1 << 30
_LABEL = "io.tea-runner.worker"
_DIGEST = re.compile(r"[^\s@]+@(sha256:[0-9a-f]{64})|(sha256:[0-9a-f]{64})")
#: What the client itself needs: where the engine and the user's settings are.
_OWN = (
    "HOME", "PATH", "USER", "DOCKER_HOST", "DOCKER_CONFIG", "DOCKER_CONTEXT", "CONTAINER_HOST",
    "CONTAINERS_CONF", "CONTAINERS_STORAGE_CONF", "CONTAINERS_REGISTRIES_CONF",
    "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "TMPDIR",
)  # fmt: skip


class Engine:
    """Runs commands in containers.

    :param name: ``docker`` or ``podman``: also the program.
    :param variables: the worker's own; those that tell where the engine is are passed on.
    """

    def __init__(self, name: str, *, variables: Mapping[str, str]) -> None:
        self.name = name
        self._env = {key: variables[key] for key in _OWN if key in variables}

    def check(self) -> str | None:
        """Whether the engine answers."""
        if shutil.which(self.name, path=self._env.get("PATH")) is None:
            return f"{self.name} is missing: install it, or take another environment"
        try:
            self._ask("version", "--format", "json", timeout=30)
        except OutsideError as error:
            return f"{self.name} does not answer; is its engine running? {error}"
        return None

    def identity(self, image: str) -> tuple[str, ...]:
        """The image's digest: the same from any registry, in any engine."""
        match = _DIGEST.fullmatch(image)
        if match is None:
            raise Refused(
                f"image {image!r} has no digest, so it may be another one tomorrow; "
                f"write it as name@sha256:…"
            )
        return ("image", match[1] or match[2])

    def places(self, *_: Path | None) -> Places:
        """The same for all."""
        return Places(pfs=PFS, out=OUT, dataset=DATASET)

    def run(self, execution: Execution) -> Outcome:
        """Run the command in a container of its own, which is removed at the end."""
        self.identity(execution.image)
        name = f"tea-{uuid.uuid4().hex}"
        began = time.monotonic()
        # made by us, so that it is the same whether it is a directory or a file, and is never made
        # by an engine that runs as root
        shown = mounts(execution)
        with contextlib.ExitStack() as stack:
            stack.callback(self._remove, name)
            self._ask(
                *self._create(execution, name),
                *_volumes(shown),
                "--", execution.image, *execution.argv,
                why=f"making a container of {execution.image}",
            )  # fmt: skip
            end, sentence = self._follow(execution, name, began, stack)
            self._ask("kill", name, check=False)
            state = self._state(name)
        # podman says no OOMKilled; a SIGKILL that was not ours under a limit is one
        oom = bool(state.get("OOMKilled")) or (
            end == "exited" and state.get("ExitCode") == 137 and bool(execution.limits.memory)
        )
        code = int(state.get("ExitCode", 1)) if end == "exited" else None
        return Outcome(
            code=code,
            signal=code - 128 if code is not None and 128 < code <= 192 else None,
            timed_out=end == "timed_out",
            cancelled=end == "cancelled",
            oom=oom,
            overflow=sentence,
            seconds=time.monotonic() - began,
        )

    def sweep(self) -> tuple[str, ...]:
        """Remove the containers of this machine's workers that are no more; their names."""
        listed = self._ask(
            "ps", "--all", "--filter", f"label={_LABEL}", "--format",
            f'{{{{.Names}}}}\t{{{{.Label "{_LABEL}"}}}}',
        )  # fmt: skip
        removed = []
        for line in listed.decode("utf-8", "replace").splitlines():
            name, _, worker = line.partition("\t")
            host, _, rest = worker.partition("/")
            if host == socket.gethostname() and rest and not _lives(rest):
                self._remove(name)
                removed.append(name)
        return tuple(removed)

    def _follow(
        self, execution: Execution, name: str, began: float, stack: contextlib.ExitStack
    ) -> tuple[str, str]:
        """Start it, hand on what it prints, and wait as long as it may run."""
        reading, printed = os.pipe()
        stack.callback(os.close, reading)
        stdin = None
        if execution.stdin is not None:
            file = stack.enter_context(contextlib.closing(_held(execution.stdin)))
            stdin = file.fileno()
        # attached: the client prints what the container does, and ends with it
        argv = [self.name, "start", "--attach", *(["--interactive"] if stdin is not None else [])]
        try:
            client = process.start(
                [*argv, name], env=self._env, stdin=stdin, stdout=printed, stderr=printed
            )
        finally:
            os.close(printed)
        stack.callback(end_group, client)
        watch = Watch(
            ended=lambda: client.poll() is not None,
            overflow=overflow(execution.out, execution.limits),
        )
        end, sentence = follow(execution, reading, watch, began=began)
        if end == "exited":
            drain(execution, reading)
        return end, sentence

    def _create(self, execution: Execution, name: str) -> list[str]:
        limits = execution.limits
        argv = [
            "create", "--name", name, "--label", f"{_LABEL}={_worker()}", "--pull=never",
            "--read-only", "--cap-drop=all", "--security-opt=no-new-privileges", "--ipc=private",
            "--hostname=sandbox", "--ulimit=core=0:0",
            f"--tmpfs=/tmp:rw,nosuid,nodev,size={limits.scratch or SCRATCH}",
            f"--workdir={working_directory(execution)}", "--entrypoint=",
            f"--user={os.geteuid()}:{os.getegid()}",
        ]  # fmt: skip
        if not execution.network:
            argv += ["--network=none"]
        if execution.stdin is not None:
            argv += ["--interactive"]
        argv += _limits(limits)
        for key in sorted(execution.env):
            argv += ["--env", f"{key}={execution.env[key]}"]
        return argv

    def _state(self, name: str) -> dict[str, Any]:
        answer = json.loads(self._ask("inspect", "--type=container", name))
        state: dict[str, Any] = answer[0]["State"]
        return state

    def _remove(self, name: str) -> None:
        self._ask("rm", "--force", "--volumes", name, check=False)

    def _ask(
        self, *argv: str, check: bool = True, why: str = "", timeout: float = 120
    ) -> bytes:
        try:
            return process.run(
                (self.name, *argv), env=self._env, cwd="/", check=check, why=why, timeout=timeout
            ).stdout
        except CommandError as error:
            if "no such image" in error.stderr.lower() or "image not known" in error.stderr.lower():
                raise Refused(
                    f"{why}: the image is not on this machine; "
                    f"somebody who may has to pull it ({self.name} pull …)"
                ) from None
            raise


def _limits(limits: Limits) -> list[str]:
    argv = []
    if limits.memory is not None:
        # the same for both: no swap beside it
        argv += [f"--memory={limits.memory}", f"--memory-swap={limits.memory}"]
    if limits.processes is not None:
        argv += [f"--pids-limit={limits.processes}"]
    for kind, value in (
        ("fsize", limits.file_size), ("nofile", limits.open_files), ("cpu", limits.cpu_seconds),
    ):  # fmt: skip
        if value is not None:
            argv += [f"--ulimit={kind}={value}:{value}"]
    return argv
