"""The container engines of this machine, each with a small image of the machine's programs."""

from __future__ import annotations

import atexit
import os
import re
import resource
import shutil
import tarfile
import tempfile
import time
from pathlib import Path

import pytest

from tea_runner.core.errors import CommandError
from tea_runner.host import process
from tea_runner.host.openat import remove_tree
from tea_runner.sandbox.apptainer import Apptainer
from tea_runner.sandbox.container_engine import ContainerEngine
from tea_runner.sandbox.execution_environment import Environment

_PROGRAMS = (
    "sh",
    "cat",
    "env",
    "sleep",
    "head",
    "tail",
    "truncate",
    "setsid",
    "yes",
    "touch",
    "mkdir",
    "cp",
    "chmod",
    "rm",
    "ls",
    "mv",
    "true",
    "id",
    "grep",
    "find",
    "wc",
    "tr",
    "basename",
)


def engine(name: str, places: pytest.TempPathFactory) -> tuple[Environment, str]:
    """An engine and an image in it; skips the test where there is no engine."""
    variables = dict(os.environ)
    if name == "apptainer":
        return _apptainer(places.mktemp("image"), variables)
    if name == "podman":
        # podman's own clean-up fails under a run root of more than 50 characters: each wait takes 20 s.
        place = Path(tempfile.mkdtemp(prefix="tea-", dir="/tmp"))
        atexit.register(remove_tree, place)
        variables |= _podman(place)
    if name == "docker":
        variables |= _docker(variables)
    found = ContainerEngine(name, variables=variables)
    missing = found.check()
    if missing:
        pytest.skip(f"engine absent: {missing}")
    archive = _archive(places.mktemp("image"))
    env = {k: v for k, v in variables.items() if k.startswith(("CONTAINER", "DOCKER", "PATH"))}
    try:
        said = process.run((name, "import", str(archive), "tea-runner-test"), env=env, timeout=120)
    except CommandError as error:
        pytest.skip(f"engine absent: {error}")
    match = re.search(rb"(?:sha256:)?([0-9a-f]{64})", said.stdout)
    assert match is not None
    return found, f"sha256:{match[1].decode('ascii')}"


def _apptainer(place: Path, variables: dict[str, str]) -> tuple[Environment, str]:
    """The image of Apptainer is a directory that other users can reach."""
    found = Apptainer(variables={**variables, "HOME": "/"})
    missing = found.check()
    if missing:
        pytest.skip(f"engine absent: {missing}")
    image = Path(f"/tmp/tea-image-{os.getpid()}")
    atexit.register(remove_tree, image)
    image.mkdir()
    # Python 3.11.2, which Debian 12 has, does not know the filters of tarfile.
    process.run(["tar", "-xf", str(_archive(place)), "-C", str(image)], env=variables)
    return found, str(image)


def _docker(variables: dict[str, str]) -> dict[str, str]:
    """Variables for docker's engine: a running one, or one that is started here; empty without any."""
    program = shutil.which("dockerd", path=f"{variables['PATH']}:/usr/sbin:/sbin")
    if (
        program is None
        or os.geteuid() != 0
        or ContainerEngine("docker", variables=variables).check() is None
    ):
        return {}
    place = Path(tempfile.mkdtemp(prefix="tea-", dir="/tmp"))
    # Containers of these tests have no network: the machine's own is left alone.
    argv = [
        program,
        f"--host=unix://{place}/socket",
        f"--data-root={place}/data",
        f"--exec-root={place}/run",
        f"--pidfile={place}/pid",
        "--oom-score-adjust=0",
        "--bridge=none",
        "--iptables=false",
        "--ip6tables=false",
        "--ip-forward=false",
        "--ip-masq=false",
    ]
    with (place / "log").open("wb") as log:
        running = process.start_process(argv, env=variables, stdout=log, stderr=log)

    def end() -> None:
        running.terminate()
        try:
            running.wait(20)
        finally:
            process.kill(running)
            remove_tree(place)

    atexit.register(end)
    found = {"DOCKER_HOST": f"unix://{place}/socket", "DOCKER_CONFIG": str(place / "config")}
    until = time.monotonic() + 60
    while (
        ContainerEngine("docker", variables=variables | found).check() and time.monotonic() < until
    ):
        if running.poll() is not None:
            pytest.skip(f"engine absent: dockerd ended; {_last_line(place / 'log')}")
        time.sleep(0.1)
    return found


def _last_line(log: Path) -> str:
    return log.read_text("utf-8", "replace").strip().rpartition("\n")[2]


def _podman(place: Path) -> dict[str, str]:
    """Settings that work for root without CAP_SYS_RESOURCE and with cgroups of version 1."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    (place / "containers.conf").write_text(
        f'[containers]\ndefault_ulimits = ["nofile={files}:{files}", "nproc=32768:32768"]\n'
        f'[engine]\nruntime = "{"runc" if shutil.which("runc") else "crun"}"\n'
        f'cgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
    )
    (place / "storage.conf").write_text(
        f'[storage]\ndriver = "vfs"\ngraphroot = "{place}/store"\nrunroot = "{place}/run"\n'
    )
    return {
        "CONTAINERS_CONF": str(place / "containers.conf"),
        "CONTAINERS_STORAGE_CONF": str(place / "storage.conf"),
    }


def _archive(place: Path) -> Path:
    """A root file system with the programs that the suite starts, and their libraries."""
    archive = place / "image.tar"
    files: dict[str, str] = {}
    for program in _PROGRAMS:
        path = shutil.which(program)
        assert path is not None
        files[f"/bin/{program}"] = os.path.realpath(path)
        linked = process.run(("ldd", path), env={"PATH": "/usr/bin:/bin"}).stdout.decode()
        files |= {name: os.path.realpath(name) for name in re.findall(r"/\S+", linked)}
    with tarfile.open(archive, "w") as tar:
        for name in ("tmp", "dataset", "pfs", "proc", "sys", "dev", "etc"):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        for name, path in files.items():
            tar.add(path, arcname=name.lstrip("/"))
    return archive
