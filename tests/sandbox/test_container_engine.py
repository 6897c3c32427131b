"""What only containers have: images, labels, and removal of those left behind."""

from __future__ import annotations

import contextlib
import os
import subprocess  # noqa: TID251 - a worker that dies, outside of the one place that starts processes
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tea_runner.core.errors import Refused
from tea_runner.sandbox import bubblewrap_options, container_engine
from tea_runner.sandbox.apptainer import Apptainer
from tea_runner.sandbox.command_mounts import bind_option
from tea_runner.sandbox.container_engine import ContainerEngine
from tea_runner.sandbox.execution_environment import Environment, Execution, Limits, Mount
from tea_runner.sandbox.process_identity import process_label

from .conftest import Bench

_DIGEST = "sha256:" + "a" * 64


def test_an_image_is_known_by_its_digest_only() -> None:
    """The same digest is the same identity in every registry and engine."""
    podman, docker = (ContainerEngine(name, variables={}) for name in ("podman", "docker"))
    assert ("image", _DIGEST) == podman.identity(f"registry.example.org/a/b:1@{_DIGEST}")
    assert podman.identity(_DIGEST) == docker.identity(f"other/name@{_DIGEST}")


@pytest.mark.parametrize(
    "image",
    ["python:3.12", "python", "", "python@sha256:12", "--privileged", f"a b@{_DIGEST}", "a;id"],
)
def test_an_image_that_may_change_is_refused(image: str) -> None:
    """An image without a digest is refused."""
    with pytest.raises(Refused, match="has no digest"):
        ContainerEngine("podman", variables={}).identity(image)


def test_graphics_processors_and_processors_are_options_of_the_engine() -> None:
    """By number: Docker's own option, and devices of the Container Device Interface for Podman."""
    execution = Execution(
        argv=("true",),
        env={},
        view=None,
        out=None,
        log=lambda _: None,
        image=_DIGEST,
        gpus=(0, 3),
        limits=Limits(cpus=1.5, memory=1 << 30),
    )
    docker, podman = (
        ContainerEngine(name, variables={})._create(execution, "x", None)
        for name in ("docker", "podman")
    )
    assert '--gpus="device=0,3"' in docker
    assert ["nvidia.com/gpu=0", "nvidia.com/gpu=3"] == [
        each.partition("=")[2] for each in podman if each.startswith("--device=")
    ]
    assert all("--cpus=1.5" in each for each in (docker, podman))
    apptainer = Apptainer(variables={})
    assert "--nv" in apptainer._command(execution, None)
    assert "0,3" == apptainer._variables(execution)["APPTAINERENV_CUDA_VISIBLE_DEVICES"]
    assert "--nv" not in apptainer._command(replace(execution, gpus=()), None)
    devices = bubblewrap_options.gpu_devices((0, 3))
    assert ("/dev/nvidia0", "/dev/nvidia3", "/dev/nvidiactl") == devices[:3]
    assert () == bubblewrap_options.gpu_devices(())


def test_any_path_can_be_shown(tmp_path: Path) -> None:
    """A path with commas and quotes is one field of the option."""
    option = bind_option(Mount(source=tmp_path / 'a,b"c', target="/pfs/x"))
    assert option.startswith("type=bind,")
    assert '"source=' in option
    assert option.endswith(",target=/pfs/x,ro")


def test_a_missing_engine_is_named(tmp_path: Path) -> None:
    """Without the program the check returns a message."""
    assert "podman is missing" in (
        ContainerEngine("podman", variables={"PATH": str(tmp_path)}).check() or ""
    )


@pytest.fixture
def podman(engines: Callable[[str], tuple[Environment, str]], tmp_path: Path) -> Bench:
    """A bench with podman."""
    engine, image = engines("podman")
    made = Bench(engine, tmp_path / "job", image)
    for directory in (made.view / "in", made.out, made.code):
        directory.mkdir(parents=True)
    return made


@pytest.mark.engine
def test_the_containers_of_dead_workers_are_swept(podman: Bench) -> None:
    """Containers of dead workers are removed, those of living ones are not."""
    engine = podman.environment
    assert isinstance(engine, ContainerEngine)
    with subprocess.Popen(["true"]) as dead:
        pass
    host, namespace, pid, started = process_label().split("/")
    labels = {
        "dead": f"{host}/{namespace}/{dead.pid}/1",
        "used-again": f"{host}/{namespace}/{pid}/1",
        "alive": f"{host}/{namespace}/{pid}/{started}",
        "other-namespace": f"{host}/1/{dead.pid}/1",
        "elsewhere": f"other-host/{namespace}/{dead.pid}/1",
    }
    for name, label in labels.items():
        engine._client(
            "create",
            "--name",
            name,
            "--label",
            f"{container_engine._LABEL}={label}",
            "--ulimit=nofile=1000:1000",
            "--ulimit=nproc=1000:1000",
            podman.image,
            "true",
        )
    try:
        assert {"dead", "used-again"} == set(engine.remove_containers_of_dead_workers())
    finally:
        for name in labels:
            engine._remove(name)


@pytest.mark.engine
def test_nothing_of_a_container_is_left(podman: Bench) -> None:
    """After a run there is no container left."""
    engine = podman.environment
    assert isinstance(engine, ContainerEngine)
    podman.shell("exit 3")
    podman.shell("sleep 60", timeout=0.5)
    assert b"" == engine._client("ps", "--all", "--quiet").strip()


@pytest.mark.engine
def test_an_image_that_is_not_there_is_not_fetched(podman: Bench) -> None:
    """An image that was not pulled is refused, with what to do."""
    with pytest.raises(Refused, match="is not on this machine"):
        podman.run("true", image=_DIGEST)


@pytest.mark.engine
def test_a_container_is_nobody_with_no_rights(podman: Bench) -> None:
    """The command has no capability, no new privileges, and its root is read-only."""
    podman.shell(
        "cat /proc/self/status; touch /x; touch /bin/x; id -u", limits=Limits(processes=64)
    )
    assert "CapEff:\t0000000000000000" in podman.text
    assert "NoNewPrivs:\t1" in podman.text
    assert "Seccomp:\t2" in podman.text
    assert 2 == podman.text.count("Read-only file system")
    assert "0" != podman.text.splitlines()[-1]


_KEY = "-----BEGIN KEY-----\ncanary-of-several-lines\n-----END KEY-----\n"


class _Watch(threading.Thread):
    """Reads the command lines of all processes, again and again, for a canary."""

    def __init__(self, canary: bytes) -> None:
        super().__init__(daemon=True)
        self._canary = canary
        self._stopped = threading.Event()
        self.seen: set[bytes] = set()
        self.rounds = 0

    def run(self) -> None:
        """Look until stopped."""
        while not self._stopped.is_set():
            for entry in os.listdir("/proc"):
                with contextlib.suppress(OSError):
                    line = Path(f"/proc/{entry}/cmdline").read_bytes() if entry.isdigit() else b""
                    if self._canary in line:
                        self.seen.add(line)
            self.rounds += 1

    def __enter__(self) -> _Watch:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self.join()


@pytest.mark.engine
@pytest.mark.parametrize("name", ["docker", "podman"])
def test_no_secret_is_on_a_command_line(
    name: str, engines: Callable[[str], tuple[Environment, str]], tmp_path: Path
) -> None:
    """Secrets of one line, of several, and of other characters arrive, and ``ps`` shows none of them."""
    engine, image = engines(name)
    bench = Bench(engine, tmp_path / "job", image)
    for directory in (bench.view / "in", bench.out, bench.code):
        directory.mkdir(parents=True)
    secrets = {
        "ONE": "canary-of-several-lines",
        "SSH_PRIVATE_KEY": _KEY,
        "ODD": " canary-of-several-lines é ",
    }
    with _Watch(b"canary-of-several-lines") as watch:
        outcome = bench.shell(
            'sleep 0.5; printf "%s|" "$ONE" "$SSH_PRIVATE_KEY" "$ODD"',
            env=secrets,
            secret_variables=frozenset(secrets),
        )
    assert 0 == outcome.code
    assert "|".join([*secrets.values(), ""]) == bench.text
    assert watch.rounds > 3
    assert set() == watch.seen


@pytest.mark.parametrize("name", ["DOCKER_HOST", "LD_PRELOAD", "HTTPS_PROXY", "CONTAINERS_CONF"])
def test_a_secret_is_no_setting_of_the_client(name: str, tmp_path: Path) -> None:
    """A secret of several lines under a name that the engine's client obeys is refused: it goes in a file."""
    engine = ContainerEngine("podman", variables={"PATH": str(tmp_path)})
    execution = Execution(
        argv=("true",),
        env={name: _KEY},
        secret_variables=frozenset({name}),
        view=None,
        out=None,
        log=lambda _: None,
        image=_DIGEST,
    )
    with pytest.raises(Refused, match="mount_path"):
        engine.run(execution)
