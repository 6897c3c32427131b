"""An execution in, how it ended out: in a container of apptainer, started by an ordinary user.

The image is a file (``.sif``) or a directory on this machine, such as datalad-container keeps in a
dataset.  Apptainer limits neither memory nor processes without systemd: the kernel's limits per
process and the watch over the sum hold here, as without a sandbox; files, network and processes
are the container's own.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

from tea_runner.core.errors import OutsideError, Refused
from tea_runner.host import process
from tea_runner.sandbox import job_user, resource_limits
from tea_runner.sandbox.follow_command import (
    CommandWatch,
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

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OWN = ("HOME", "PATH", "USER", "TMPDIR", "APPTAINER_TMPDIR", "APPTAINER_CACHEDIR")


class Apptainer:
    """Runs commands in images that are files."""

    name = "apptainer"

    def __init__(self, *, variables: Mapping[str, str]) -> None:
        self._env = {key: variables[key] for key in _OWN if key in variables}

    def check(self) -> str | None:
        """Whether it is installed."""
        if shutil.which("apptainer", path=self._env.get("PATH")) is None:
            return "apptainer is missing: install apptainer 1.1 or newer"
        try:
            process.run(("apptainer", "version"), env=self._env, cwd="/", timeout=30)
        except OutsideError as error:
            return f"apptainer does not answer: {error}"
        return None

    def identity(self, image: str) -> tuple[str, ...]:
        """The identity of the image's content, which is what the caller gives instead of a path."""
        if not image or image.startswith(("/", ".")):
            raise Refused(f"image {image!r} is a path, not a content; save it in the dataset")
        return ("image", image)

    def places(self, *_: Path | None) -> Places:
        """The same for all."""
        return Places(pfs=PFS, out=OUT, dataset=DATASET)

    def run(self, execution: Execution) -> Outcome:
        """Run the command; ``execution.image`` is the path of the image on this machine.

        Root's command is an ordinary user outside, which has to be able to reach the directories:
        apptainer itself opens them as that user.

        :raises Refused: for an image that is not there.
        """
        if not Path(execution.image).exists():
            raise Refused(f"image {execution.image!r} is not on this machine")
        user = job_user.known_user()
        job_user.give_all(writable(execution), user)
        heard, last = tee_tail(execution)
        began = time.monotonic()
        with contextlib.ExitStack() as stack:
            reading, printed = os.pipe()
            stack.callback(os.close, reading)
            try:
                stdin = open_stdin(execution, stack)
                client = process.start_process(
                    self._command(execution, user),
                    env=self._variables(execution),
                    cwd="/",
                    stdin=stdin,
                    stdout=printed,
                    stderr=printed,
                )
            finally:
                os.close(printed)
            stack.callback(end_group, client)
            watch = CommandWatch(
                ended=lambda: client.poll() is not None,
                ended_fd=end_of(client, stack),
                oom=resource_limits.memory_watcher(client.pid, execution.limits),
                oom_tick=0.05,
                overflow=overflow(execution.out, execution.limits),
            )
            end, sentence = follow(heard, reading, watch, began=began)
            code = end_group(client)
            drain(heard, reading)
        if end == "exited" and code == 255 and b"FATAL:" in last:
            code = _why_not(bytes(last))
        return outcome(end, code, sentence, began=began)

    def _variables(self, execution: Execution) -> dict[str, str]:
        """Apptainer's own variables and, under a prefix that keeps them from it, the command's."""
        for key in execution.env:
            if not _NAME.fullmatch(key):
                raise Refused(f"{key!r} is no name of a variable")
        return self._env | {f"APPTAINERENV_{key}": value for key, value in execution.env.items()}

    def _command(self, execution: Execution, user: int | None) -> list[str]:
        argv = [
            "apptainer",
            "--silent",
            "exec",
            "--containall",
            "--no-home",
            "--no-eval",
            "--cleanenv",
            "--no-mount",
            "hostfs,bind-paths",
            "--hostname",
            "sandbox",
            "--pwd",
            working_directory(execution),
        ]
        if not execution.network:
            argv += ["--net", "--network", "none"]
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
        return [*_limited(execution.limits), *argv]


def _limited(wanted: Limits) -> list[str]:
    """What a program is started behind to be held to limits from its beginning.

    Processes are those of the user, and apptainer's own are among them.
    """
    values = {
        "core": 0,
        "nproc": wanted.processes,
        "fsize": wanted.file_size,
        "nofile": wanted.open_files,
        "cpu": wanted.cpu_seconds,
        "data": None if wanted.memory is None else resource_limits.reserve(wanted.memory),
    }
    options = [f"--{kind}={value}:{value}" for kind, value in values.items() if value is not None]
    return ["prlimit", *options, "--"]


def _why_not(last: bytes) -> int:
    """The code of a command that could not be started, as a shell has it.

    :raises OutsideError: when it was apptainer that failed.
    """
    if b"executable file not found" in last or b"no such file or directory" in last.lower():
        return 127
    if b"permission denied" in last.lower() and b"exec" in last:
        return 126
    words = last.decode("utf-8", "replace").strip()
    raise OutsideError(f"the container could not be started: {words}")
