"""The environments of this machine, and a short way to run a command in each."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from tea_runner.host.openat import remove_tree
from tea_runner.sandbox.bubblewrap import BubblewrapSandbox
from tea_runner.sandbox.execution_environment import Environment, Execution, Outcome, SandboxPaths
from tea_runner.sandbox.unsandboxed import Unsandboxed

from .engines import engine


@dataclass
class Bench:
    """One environment, and directories to run in it."""

    environment: Environment
    base: Path
    image: str = ""
    #: Whether more than the clock and the process group is held.
    walls: bool = True
    said: bytearray = field(default_factory=bytearray)

    @property
    def view(self) -> Path:
        return self.base / "view"

    @property
    def out(self) -> Path:
        return self.base / "out"

    @property
    def code(self) -> Path:
        return self.base / "code"

    @property
    def places(self) -> SandboxPaths:
        return self.environment.paths(self.view, self.out, self.code)

    def run(self, *argv: str, **changes: Any) -> Outcome:
        """Run a command with the three places in its variables."""
        self.said.clear()
        env = {"PFS": self.places.pfs, "OUT": self.places.out, **changes.pop("env", {})}
        values: dict[str, Any] = {
            "argv": argv,
            "env": env,
            "view": self.view,
            "out": self.out,
            "code": self.code,
            "log": self.said.extend,
            "timeout": 60,
            "image": self.image,
            **changes,
        }
        return self.environment.run(Execution(**values))

    def shell(self, text: str, **changes: Any) -> Outcome:
        """Run a shell command."""
        return self.run("/bin/sh", "-c", text, **changes)

    @property
    def text(self) -> str:
        return self.said.decode("utf-8", "replace")


def _host() -> Bench:
    return Bench(BubblewrapSandbox(), Path())


def _off() -> Bench:
    return Bench(Unsandboxed(), Path(), walls=False)


KINDS: dict[str, Callable[[], Bench]] = {"host": _host, "off": _off}
_ENGINES = [
    pytest.param(name, marks=pytest.mark.engine) for name in ("apptainer", "docker", "podman")
]


@pytest.fixture(scope="session")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Environment, str]]:
    """An engine with an image, made once, on first use."""
    return lru_cache(lambda name: engine(name, tmp_path_factory))


@pytest.fixture(params=[*sorted(KINDS), *_ENGINES])
def bench(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    engines: Callable[[str], tuple[Environment, str]],
) -> Iterator[Bench]:
    """Each environment of this machine in turn."""
    if request.param in KINDS:
        made = KINDS[request.param]()
        missing = made.environment.check()
        if missing:
            pytest.skip(f"engine absent: {missing}")
    else:
        found, image = engines(request.param)
        made = Bench(found, Path(), image)
    made.base = tmp_path / "job"
    if request.param == "apptainer":
        # opened by the command's user, to whom pytest's own directories are closed
        made.base = Path(f"/tmp/tea-bench-{os.getpid()}")
    for directory in (made.view / "images", made.out, made.code):
        directory.mkdir(parents=True)
    (made.view / "images" / "a.txt").write_text("hello", "utf-8")
    (made.code / "tool.sh").write_text("#!/bin/sh\necho tool $*\n", "utf-8")
    (made.code / "tool.sh").chmod(0o755)
    yield made
    remove_tree(made.base)


@pytest.fixture
def walled(bench: Bench) -> Bench:
    """As *bench*, without environments that do not isolate."""
    if not bench.walls:
        pytest.skip("sandbox: off has no walls")
    return bench


def alive(marker: str) -> list[int]:
    """Processes with *marker* in their command line; a dead one that waits for its parent is none.

    The first process of a container may take its time to reap.
    """
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                line = Path(f"/proc/{entry}/cmdline").read_bytes()
                state = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            if marker.encode() in line and state != "Z":
                found.append(int(entry))
    return found


def soon(true: Callable[[], bool], seconds: float = 5) -> bool:
    """Whether a condition becomes true within some seconds."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if true():
            return True
        time.sleep(0.02)
    return true()
