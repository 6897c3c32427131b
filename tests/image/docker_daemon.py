"""A docker engine of its own for the tests of Compose, in a network namespace of its own.

Bridges, addresses and published ports are in the namespace: nothing of this machine's network is changed.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tea_runner.host import process
from tests.image.engine import STORE

_NAMESPACE = "tea-runner-test"
#: In place of /etc/hosts for commands in the namespace: ip-netns(8).
_HOSTS = Path("/etc/netns") / _NAMESPACE / "hosts"


@dataclass(kw_only=True)
class DockerDaemon:
    """The engine; its images stay in one folder between runs."""

    socket: Path
    root: Path = STORE.parent / "docker"
    running: process.Process | None = field(default=None, repr=False)

    @property
    def env(self) -> dict[str, str]:
        """Variables with which the client finds it."""
        home = str(self.socket.parent)
        return {
            "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin",
            "HOME": home,
            "DOCKER_CONFIG": f"{home}/client",
            "DOCKER_HOST": f"unix://{self.socket}",
        }

    def start(self) -> None:
        """Start it, or skip the test where that cannot be."""
        for program in ("dockerd", "iptables", "ip", "nsenter"):
            if shutil.which(program, path=self.env["PATH"]) is None:
                pytest.skip(f"needs {program}: apt install docker.io iptables iproute2")
        if os.geteuid() != 0:
            pytest.skip("needs root: a docker engine is started")
        self.ip("netns", "add", _NAMESPACE, check=False)
        self.ip("-n", _NAMESPACE, "link", "set", "lo", "up")
        _HOSTS.parent.mkdir(parents=True, exist_ok=True)
        names = " ".join(f"{name}.lab.test" for name in ("git", "tea", "s3"))
        _HOSTS.write_text(f"127.0.0.1 localhost {names}\n")
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.socket.parent / "dockerd.log").open("wb") as log:
            self.running = process.start_process(
                [
                    *(
                        "nsenter",
                        f"--net=/run/netns/{_NAMESPACE}",
                        "dockerd",
                        "--host",
                        self.env["DOCKER_HOST"],
                    ),
                    *(
                        "--data-root",
                        str(self.root / "data"),
                        "--exec-root",
                        str(self.socket.parent / "exec"),
                    ),
                    *("--pidfile", str(self.socket.parent / "pid"), "--oom-score-adjust", "0"),
                ],
                env=self.env,
                stdout=log,
                stderr=log,
            )
        end = time.monotonic() + 60
        while process.run(["docker", "info"], env=self.env, check=False).returncode:
            if self.running.poll() is not None or time.monotonic() > end:
                pytest.skip(
                    f"needs docker: {(self.socket.parent / 'dockerd.log').read_text()[-500:]}"
                )
            time.sleep(0.5)
        if process.run(["docker", "compose", "version"], env=self.env, check=False).returncode:
            pytest.skip(
                "needs docker compose: install the plugin docker-compose, version 2.23 or newer"
            )

    def ip(self, *words: str, check: bool = True) -> None:
        """Call ip(8)."""
        process.run(["ip", *words], env=self.env, check=check)

    @property
    def inside(self) -> tuple[str, ...]:
        """Words before a command that runs it where the published ports are."""
        return ("ip", "netns", "exec", _NAMESPACE)

    def text(self, *words: str, cwd: Path | None = None, timeout: float = 600) -> str:
        """What a call of docker prints."""
        done = process.run(["docker", *words], env=self.env, cwd=cwd, timeout=timeout)
        return (done.stdout + done.stderr).decode("utf-8", "replace")

    def load(self, engine: Mapping[str, str], *images: str) -> None:
        """Take images from podman, unless they are here already."""
        ids = {}
        for image in images:
            found = process.run(
                ["podman", "image", "inspect", "--format={{.Id}}", image], env=engine
            )
            ids[image] = found.stdout.decode().strip()
        missing = [
            image
            for image in images
            if ids[image] not in self.text("images", "-q", "--no-trunc", image)
        ]
        for image in missing:
            archive = self.socket.parent / "image.tar"
            archive.unlink(missing_ok=True)
            process.run(["podman", "save", "-q", "-o", str(archive), image], env=engine)
            self.text("load", "-q", "-i", str(archive))
            archive.unlink()

    def stop(self) -> None:
        """End it and remove its namespace."""
        if self.running is not None:
            self.running.terminate()
            try:
                self.running.wait(60)
            finally:
                process.kill(self.running)
        self.ip("netns", "delete", _NAMESPACE, check=False)
        shutil.rmtree(_HOSTS.parent, ignore_errors=True)
