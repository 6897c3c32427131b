"""An execution in, how it ended out: in a container of apptainer, started by an ordinary user.

The image is a file (``.sif``) or a directory on this machine, such as datalad-container keeps in a
dataset.  Apptainer limits neither memory nor processes without systemd: the kernel's limits per
process and the watch over the sum hold here, as without a sandbox; files, network and processes
are the container's own.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from tea_runner.adapters import process
from tea_runner.adapters.environments import limits, users
from tea_runner.adapters.environments.mounts import mounts, working_directory, writable
from tea_runner.adapters.environments.overflow import overflow
from tea_runner.adapters.environments.protocol import DATASET, OUT, PFS, Execution, Outcome, Places
from tea_runner.adapters.environments.supervise import Watch, drain, end_group, ended_by, follow
from tea_runner.core.errors import OutsideError, Refused

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

        :raises Refused: for root without other users: apptainer would keep root's rights to files.
        """
        if not Path(execution.image).exists():
            raise Refused(f"image {execution.image!r} is not on this machine")
        user = users.ordinary_user()
        if user is not None:
            for directory in writable(execution):
                users.give(directory, user)
        began = time.monotonic()
        with contextlib.ExitStack() as stack:
            reading, printed = os.pipe()
            stack.callback(os.close, reading)
            variables = stack.enter_context(
                tempfile.NamedTemporaryFile("w", encoding="utf-8", errors="surrogateescape")
            )
            for key, value in sorted(execution.env.items()):
                quoted = value.replace("'", "'\\''")
                variables.write(f"{key}='{quoted}'\n")
            variables.flush()
            stdin = None
            try:
                if execution.stdin is not None:
                    file = stack.enter_context(tempfile.TemporaryFile())
                    file.write(execution.stdin)
                    file.seek(0)
                    stdin = file.fileno()
                client = process.start(
                    self._command(execution, user, variables.name), env=self._env, cwd="/",
                    stdin=stdin, stdout=printed, stderr=printed,
                )  # fmt: skip
            finally:
                os.close(printed)
            stack.callback(end_group, client)
            with contextlib.suppress(ProcessLookupError, PermissionError):
                limits.apply(client.pid, execution.limits, memory_held=False)
            watch = Watch(
                ended=lambda: client.poll() is not None,
                oom=limits.balloon(client.pid, execution.limits),
                oom_tick=0.05,
                overflow=overflow(execution.out, execution.limits),
            )
            end, sentence = follow(execution, reading, watch, began=began)
            code: int | None = end_group(client)
            drain(execution, reading)
        if end != "exited":
            code = None
        elif code is not None and code < 0:
            code = 128 - code
        return Outcome(
            code=code,
            signal=ended_by(code),
            timed_out=end == "timed_out",
            cancelled=end == "cancelled",
            oom=end == "oom",
            overflow=sentence,
            seconds=time.monotonic() - began,
        )

    def _command(self, execution: Execution, user: int | None, variables: str) -> list[str]:
        argv = [
            "apptainer", "--silent", "exec", "--containall", "--no-home", "--no-eval", "--cleanenv",
            "--no-mount", "hostfs,bind-paths", "--hostname", "sandbox", "--env-file", variables,
            "--pwd", working_directory(execution),
        ]  # fmt: skip
        if not execution.network:
            argv += ["--net", "--network", "none"]
        if os.geteuid() == 0:
            argv += ["--drop-caps", "all"]
        for mount in mounts(execution):
            mode = "rw" if mount.writable else "ro"
            argv += ["--mount", f"type=bind,src={mount.source},dst={mount.target},{mode}"]
        argv += [execution.image, *execution.argv]
        if user is not None:
            argv = [
                "setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--", *argv,
            ]  # fmt: skip
        return argv
