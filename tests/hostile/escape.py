"""Run all probes in the sandbox of this Python's tea-runner and print their results.

A program of its own, so that an ordinary user, or a container that holds nothing of the tests but
this folder, can run it: ``python escape.py BASE [OUTSIDE]``.  BASE is a folder to make; OUTSIDE a
JSON object that names what a command must not reach (see ``things``), which is made here, and torn
down at the end, where none is given.  What it prints is one JSON object, of the probes' names.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tea_runner.host.openat import remove_tree
from tea_runner.sandbox.bubblewrap import BubblewrapSandbox
from tea_runner.sandbox.execution_environment import Environment, Execution, Limits
from tea_runner.sandbox.system_mounts import interpreters

_PROBES = Path(__file__).with_name("probes.py")
_LIMITS = Limits(memory=1 << 30, processes=64, file_size=1 << 30, open_files=256, scratch=16 << 20)

#: By name of the probe, what it got; None where it was held.
Answers = dict[str, str | None]


def attempt(environment: Environment, base: Path, outside: dict[str, Any], *only: str) -> Answers:
    """Make ``base`` a job's folder, and run the probes in one command there."""
    _prepare(base)
    said = bytearray()
    code = base / "code" if environment.name == "off" else Path("/dataset")
    outcome = environment.run(
        Execution(
            argv=("/usr/bin/python3", "-I", str(code / "probes.py"), json.dumps(outside), *only),
            env={"LC_ALL": "C.UTF-8"},
            view=base / "view",
            out=base / "out",
            code=base / "code",
            log=said.extend,
            timeout=120,
            limits=_LIMITS,
        )
    )
    text = said.decode("utf-8", "replace")
    if outcome.code != 0:
        raise RuntimeError(f"the command of the probes ended with {outcome.code}: {text}")
    answers: Answers = {}
    for line in text.splitlines():
        if line.startswith("{"):
            answers.update(json.loads(line))
    return answers


def _prepare(base: Path) -> None:
    for directory in ("view/images", "out", "code"):
        (base / directory).mkdir(parents=True)
    (base / "view/images/a.txt").write_text("hello")
    (base / "code/tool.sh").write_text("#!/bin/sh\n")
    shutil.copy(_PROBES, base / "code")


@contextlib.contextmanager
def things() -> Iterator[dict[str, Any]]:
    """Things of the host that a command must not reach, all there and all answering."""
    # a short path: that of a socket has 107 bytes
    place = Path(f"/tmp/tea-escape-{os.getpid()}")
    place.mkdir(mode=0o755)
    (place / "secret").write_text("secret of the host")
    abstract = f"tea-escape-{os.getpid()}"
    listeners = [socket.create_server(("127.0.0.1", 0))]
    for name in ("\0" + abstract, str(place / "socket")):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(name)
        listener.listen()
        listeners.append(listener)
    (place / "socket").chmod(0o777)
    key = 0x7EA0000 + os.getpid()
    libc = ctypes.CDLL(None)
    segment = libc.shmget(key, 4096, 0o1666)
    for listener in listeners:
        threading.Thread(target=_accept, args=(listener,), daemon=True).start()
    process = _distant()
    try:
        yield {
            "file": str(place / "secret"),
            "process": process,
            "abstract": abstract,
            "port": listeners[0].getsockname()[1],
            "socket": str(place / "socket"),
            "memory": key,
            "shown": [str(path) for path in interpreters()],
        }
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        libc.shmctl(segment, 0, None)
        for listener in listeners:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        remove_tree(place)


def _distant() -> int:
    """A process with a number that none in a sandbox gets: there they begin at 1, as here perhaps."""
    while True:
        child = os.posix_spawn("/bin/sleep", ["sleep", "3600"], {})
        if child > 1000:
            return child
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _accept(listener: socket.socket) -> None:
    while True:
        try:
            listener.accept()[0].close()
        except OSError:
            return


def main(base: str, outside: str | None = None) -> None:
    """Run all probes under the sandbox, and print what they got."""
    missing = BubblewrapSandbox().check()
    if missing:
        sys.exit(missing)
    with contextlib.ExitStack() as stack:
        world = json.loads(outside) if outside else stack.enter_context(things())
        sys.stdout.write(json.dumps(attempt(BubblewrapSandbox(), Path(base), world)))


if __name__ == "__main__":
    main(*sys.argv[1:])
