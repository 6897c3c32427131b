"""An engine that holds the image of this checkout: podman with a store of its own, or docker.

podman as root gets a configuration and a store of its own below ``build/engine``: its defaults
fail where limits may not be raised or where control groups are of the older kind, and with the
layers that are kept there the second build takes seconds.
"""

from __future__ import annotations

import os
import resource
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tea_runner.core.errors import OutsideError
from tea_runner.host.process import run

ROOT = Path(__file__).parents[2]
STORE = ROOT / "build" / "engine"
BASE = "debian:bookworm-slim"
TAG = "localhost/tea-runner:test"
#: As the head of the Dockerfile says.
OPTIONS = ("--security-opt=seccomp=unconfined", "--security-opt=systempaths=unconfined")


@dataclass(frozen=True, kw_only=True)
class Engine:
    """docker or podman, and the environment that it is called in."""

    name: str
    env: dict[str, str]

    def accepts(self, *argv: str, timeout: float = 120) -> bool:
        """Whether a call succeeds in time."""
        try:
            done = run([self.name, *argv], env=self.env, cwd=ROOT, check=False, timeout=timeout)
        except OutsideError:
            return False
        return done.returncode == 0

    def text(self, *argv: str, timeout: float = 120) -> str:
        """What a call prints, without the spaces at the ends."""
        done = run([self.name, *argv], env=self.env, cwd=ROOT, timeout=timeout)
        return done.stdout.decode().strip()

    def logs(self, name: str) -> str:
        """What a container has printed, to both outputs."""
        done = run([self.name, "logs", name], env=self.env, cwd=ROOT)
        return (done.stdout + done.stderr).decode("utf-8", "replace")

    def shell(self, script: str) -> str:
        """What a shell in a fresh container without a network prints."""
        return self.text("run", "--rm", "--network=none", TAG, "sh", "-c", script)

    def build(
        self,
        tag: str = TAG,
        *,
        file: str = "Dockerfile",
        folder: str = ".",
        arguments: Mapping[str, str] | None = None,
    ) -> None:
        """Build an image; podman lends the certificates of this machine to the build."""
        lent = ["-v", "/etc/ssl/certs:/etc/ssl/certs:ro"] if self.name == "podman" else []
        given = [f"--build-arg={name}={value}" for name, value in (arguments or {}).items()]
        self.text(
            *("build", "--network=host", *lent, *given, "-f", file, "-t", tag, folder), timeout=1800
        )


@pytest.fixture(scope="package")
def engine() -> Engine:
    """An engine that holds the image, built from this checkout."""
    found = _find_engine()
    _provide_base(found)
    found.build()
    return found


def _find_engine() -> Engine:
    wanted = ("PATH", "HOME", "XDG_", "DOCKER_")
    kept = {name: value for name, value in os.environ.items() if name.startswith(wanted)}
    if shutil.which("podman"):
        podman = Engine(name="podman", env=kept | _podman_settings())
        if podman.accepts("info"):
            return podman
    if shutil.which("docker"):
        docker = Engine(name="docker", env=kept)
        if docker.accepts("info"):
            return docker
    pytest.skip("needs podman: no container engine answers; apt install podman runc")


def _podman_settings() -> dict[str, str]:
    """Variables that give root's podman its own store; nothing for other users."""
    if os.geteuid() != 0:
        return {}
    STORE.mkdir(parents=True, exist_ok=True)
    files = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 20000)
    runtime = 'runtime = "runc"\n' if shutil.which("runc") else ""
    containers, storage = STORE / "containers.conf", STORE / "storage.conf"
    containers.write_text(
        f'[containers]\ndefault_ulimits = ["nofile={files}:{files}", "nproc=32768:32768"]\n'
        f'[engine]\n{runtime}cgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
    )
    kind = run(["stat", "-f", "-c", "%T", str(STORE)], env={"PATH": os.environ["PATH"]}).stdout
    driver = "vfs" if kind.strip() == b"overlayfs" else "overlay"
    storage.write_text(
        f'[storage]\ndriver = "{driver}"\ngraphroot = "{STORE}/{driver}"\nrunroot = "{STORE}/run"\n'
    )
    return {"CONTAINERS_CONF": str(containers), "CONTAINERS_STORAGE_CONF": str(storage)}


def _provide_base(engine: Engine) -> None:
    """See that the base image is there: kept, pulled, or made by debootstrap; else skip."""
    if engine.accepts("image", "inspect", BASE):
        return
    if engine.accepts("pull", "-q", BASE):
        return
    if os.geteuid() != 0 or not shutil.which("debootstrap"):
        pytest.skip(f"needs {BASE}: it can neither be pulled nor made; apt install debootstrap")
    with tempfile.TemporaryDirectory() as work:
        env = {"PATH": os.environ["PATH"], "HOME": work}
        system, archive = f"{work}/system", f"{work}/base.tar"
        make = ["debootstrap", "--variant=minbase", "--include=ca-certificates", "bookworm", system]
        run(make, env=env, timeout=600)
        run(["tar", "-C", system, "-cf", archive, "."], env=env)
        engine.text("import", archive, BASE, timeout=300)
