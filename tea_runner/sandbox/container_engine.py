"""An execution in, how it ended out: in a container of docker or podman, by their command line.

``create``, ``start``, ``wait``, ``inspect``, ``rm`` and never ``run --rm``: through podman's
docker-compatible socket that one always ends with 0, and a client that is killed ends no container.
Each container carries the worker's process as a label, so that :meth:`ContainerEngine.sweep` finds what a
dead worker left behind.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import shutil
import socket
import tempfile
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tea_runner.core.errors import CommandError, OutsideError, Refused
from tea_runner.host import process
from tea_runner.sandbox import job_user
from tea_runner.sandbox.follow_command import (
    CommandWatch,
    End,
    drain,
    end_group,
    end_of,
    follow,
    open_stdin,
    outcome,
    tee_tail,
)
from tea_runner.sandbox.mounts import bind_option, mounts, working_directory, writable
from tea_runner.sandbox.output_limits import overflow
from tea_runner.sandbox.protocol import (
    DATASET,
    OUT,
    PFS,
    Execution,
    Limits,
    Outcome,
    Places,
)

#: Of the private /tmp where no limit is given.
SCRATCH = 1 << 30
_LABEL = "io.tea-runner.worker"
_DIGEST = re.compile(r"[^\s@]+@(sha256:[0-9a-f]{64})|(sha256:[0-9a-f]{64})")
#: What the client itself needs: where the engine and the user's settings are.
_OWN = (
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
    :param variables: the worker's own; those that tell where the engine is are passed on.
    """

    def __init__(self, name: str, *, variables: Mapping[str, str]) -> None:
        self.name = name
        self.variables = {key: variables[key] for key in _OWN if key in variables}

    def check(self) -> str | None:
        """Whether the engine answers."""
        if shutil.which(self.name, path=self.variables.get("PATH")) is None:
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
        user = job_user.ordinary_user()
        job_user.give_all(writable(execution), user)
        heard, last = tee_tail(execution)
        with contextlib.ExitStack() as stack:
            variables, rest = _variables(execution.env, stack)
            stack.callback(self._remove, name)
            self._ask(
                *self._create(execution, name, user),
                *variables,
                *rest,
                *("--mount=" + bind_option(mount) for mount in mounts(execution)),
                "--",
                execution.image,
                *execution.argv,
                why=f"making a container of {execution.image}",
            )
            end, sentence = self._follow(heard, name, began, stack)
            # the client may have ended without its container
            self._ask("kill" if end != "exited" else "wait", name, check=False)
            state = self._state(name)
            if end == "exited" and not _ran(state):
                return Outcome(code=_why_not(bytes(last)), seconds=time.monotonic() - began)
        # podman says no OOMKilled; a SIGKILL that was not ours under a limit is one
        oom = bool(state.get("OOMKilled")) or (
            end == "exited" and state.get("ExitCode") == 137 and bool(execution.limits.memory)
        )
        code = int(state.get("ExitCode", 1)) if end == "exited" else None
        return outcome(end, code, sentence, began=began, oom=oom)

    def sweep(self) -> tuple[str, ...]:
        """Remove the containers of this machine's workers that are no more; their names."""
        listed = self._ask("ps", "--all", "--quiet", "--filter", f"label={_LABEL}").split()
        removed = []
        for identity in listed:
            with contextlib.suppress(CommandError):  # gone meanwhile
                about = json.loads(self._ask("inspect", "--type=container", identity.decode()))[0]
                host, _, worker = about["Config"]["Labels"][_LABEL].partition("/")
                if host == socket.gethostname() and worker and not _lives(worker):
                    name = about["Name"].lstrip("/")
                    self._remove(name)
                    removed.append(name)
        return tuple(removed)

    def _follow(
        self, execution: Execution, name: str, began: float, stack: contextlib.ExitStack
    ) -> tuple[End, str]:
        """Start it, hand on what it prints, and wait as long as it may run."""
        reading, printed = os.pipe()
        stack.callback(os.close, reading)
        stdin = open_stdin(execution, stack)
        # attached: the client prints what the container does, and ends with it
        argv = [self.name, "start", "--attach", *(["--interactive"] if stdin is not None else [])]
        try:
            client = process.start_process(
                [*argv, name], env=self.variables, stdin=stdin, stdout=printed, stderr=printed
            )
        finally:
            os.close(printed)
        stack.callback(end_group, client)
        watch = CommandWatch(
            ended=lambda: client.poll() is not None,
            ended_fd=end_of(client, stack),
            overflow=overflow(execution.out, execution.limits),
        )
        end, sentence = follow(execution, reading, watch, began=began)
        # before its container: it holds up the end while nobody reads what it prints
        end_group(client)
        if end == "exited":
            drain(execution, reading)
        return end, sentence

    def _create(self, execution: Execution, name: str, user: int | None) -> list[str]:
        limits = execution.limits
        scratch = limits.scratch or SCRATCH
        owner = (user, user) if user is not None else (os.geteuid(), os.getegid())
        argv = [
            "create",
            "--name",
            name,
            "--label",
            f"{_LABEL}={_worker()}",
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
            f"--workdir={working_directory(execution)}",
            "--entrypoint=",
            f"--user={owner[0]}:{owner[1]}",
        ]
        if self.name == "podman":
            argv += ["--read-only-tmpfs=false"]
            if os.geteuid() != 0:
                argv += ["--userns=keep-id"]
        if not execution.network:
            argv += ["--network=none"]
        if execution.stdin is not None:
            argv += ["--interactive"]
        return argv + _limits(limits)

    def _state(self, name: str) -> dict[str, Any]:
        answer = json.loads(self._ask("inspect", "--type=container", name))
        state: dict[str, Any] = answer[0]["State"]
        return state

    def _remove(self, name: str) -> None:
        # podman asks politely for ten seconds unless told not to
        now = ("--time=0",) if self.name == "podman" else ()
        self._ask("rm", "--force", *now, "--volumes", name, check=False)

    def _ask(self, *argv: str, check: bool = True, why: str = "", timeout: float = 120) -> bytes:
        try:
            return process.run(
                (self.name, *argv),
                env=self.variables,
                cwd="/",
                check=check,
                why=why,
                timeout=timeout,
            ).stdout
        except CommandError as error:
            if "no such image" in error.stderr.lower() or "image not known" in error.stderr.lower():
                raise Refused(
                    f"{why}: the image is not on this machine; "
                    f"somebody who may has to pull it ({self.name} pull …)"
                ) from error
            raise


def _ran(state: dict[str, Any]) -> bool:
    """Whether the command itself was started: one that was not has no code, or one of its own."""
    return not str(state.get("StartedAt", "")).startswith("0001-") and not state.get("Error")


def _why_not(last: bytes) -> int:
    """The code of a command that could not be started, as a shell has it.

    :raises OutsideError: when it was the engine that failed.
    """
    words = last.decode("utf-8", "replace").strip()
    if "executable file" in words or "no such file or directory" in words.lower():
        return 127
    if "exec" in words and "permission denied" in words.lower():
        return 126
    raise OutsideError(f"the container could not be started: {words or 'nothing was said'}")


_PLAIN = re.compile(r"[!-~]([ -~]*[!-~])?")


def _variables(env: Mapping[str, str], stack: contextlib.ExitStack) -> tuple[list[str], list[str]]:
    """The options for variables: a file where one can say it, so that ``ps`` shows no secret.

    Never the client's own variables: a pipeline's ``LD_PRELOAD`` or ``DOCKER_HOST`` is not for it.
    """
    file = stack.enter_context(
        tempfile.NamedTemporaryFile("w", encoding="ascii", suffix=".env")  # noqa: SIM115 - the stack's
    )
    rest: list[str] = []
    for key, value in sorted(env.items()):
        if _PLAIN.fullmatch(key) and _PLAIN.fullmatch(value) and value[0] not in "\"'#":
            file.write(f"{key}={value}\n")
        else:
            rest += ["--env", f"{key}={value}"]
    file.flush()
    return ["--env-file", file.name], rest


def _worker() -> str:
    """Who made a container: host, process, and when that began (numbers are used again)."""
    return f"{socket.gethostname()}/{os.getpid()}/{_began(os.getpid())}"


def _began(pid: int) -> str:
    try:
        text = Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
    except OSError:
        return ""
    return text.rpartition(")")[2].split()[19]


def _lives(worker: str) -> bool:
    pid, _, began = worker.partition("/")
    if not Path("/proc/self").exists():
        return True  # it cannot be found out: somebody else's may not be removed
    return pid.isdigit() and bool(began) and _began(int(pid)) == began


def _limits(limits: Limits) -> list[str]:
    argv = []
    if limits.memory is not None:
        # the same for both: no swap beside it
        argv += [f"--memory={limits.memory}", f"--memory-swap={limits.memory}"]
    if limits.processes is not None:
        argv += [f"--pids-limit={limits.processes}"]
    # an engine would raise them to its own defaults, which not every root may; podman has lowered
    # its own number of processes to 32,768 by then
    files, processes = (
        resource.getrlimit(kind)[1] for kind in (resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC)
    )
    most = {
        "nofile": min(limits.open_files or files, files) if files >= 0 else limits.open_files,
        "nproc": min(processes, 32_768) if processes >= 0 else 32_768,
        "fsize": limits.file_size,
        "cpu": limits.cpu_seconds,
    }
    argv += [f"--ulimit={kind}={value}:{value}" for kind, value in most.items() if value]
    return argv
