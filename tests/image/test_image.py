"""The image builds, runs as an ordinary user, and its sandbox holds under the documented options.

podman as root gets a configuration and a store of its own below ``build/engine``: its defaults
fail where limits may not be raised or where control groups are of the older kind, and with the
layers that are kept there the second build takes seconds.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from tea_runner import __version__
from tea_runner.core.errors import OutsideError
from tea_runner.host.process import run

pytestmark = pytest.mark.engine

ROOT = Path(__file__).parents[2]
STORE = ROOT / "build" / "engine"
BASE = "debian:bookworm-slim"
TAG = "localhost/tea-runner:test"
#: As the head of the Dockerfile says.
OPTIONS = ("--security-opt=seccomp=unconfined", "--security-opt=systempaths=unconfined")
BWRAP = (
    *("bwrap", "--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent"),
    *("--ro-bind", "/usr", "/usr", "--symlink", "usr/bin", "/bin", "--symlink", "usr/lib", "/lib"),
    *("--symlink", "usr/lib64", "/lib64", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"),
)


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

    def shell(self, script: str) -> str:
        """What a shell in a fresh container without a network prints."""
        return self.text("run", "--rm", "--network=none", TAG, "sh", "-c", script)

    def build(self) -> None:
        """Build the image; podman lends the certificates of this machine to the build."""
        lent = ["-v", "/etc/ssl/certs:/etc/ssl/certs:ro"] if self.name == "podman" else []
        self.text("build", "--network=host", *lent, "-t", TAG, ".", timeout=900)


@pytest.fixture(scope="module")
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


def test_the_image_holds_this_version(engine: Engine) -> None:
    """`tea-runner --version` in the image names the version of this checkout."""
    assert __version__ in engine.shell("tea-runner --version")


def test_everything_in_the_image_runs_as_an_ordinary_user(engine: Engine) -> None:
    """A command is not root, and the folder of the state is its own."""
    said = engine.shell("id -u; stat -c %U /var/lib/tea-runner; touch /var/lib/tea-runner/x")
    assert ["1000", "tea"] == said.split()


def test_the_image_has_the_programs_that_jobs_need(engine: Engine) -> None:
    """git, git-annex, a Redis server and OpenCV for the example are in the image and start."""
    said = engine.shell(
        "set -e; git --version; git annex version --raw; redis-server --version;"
        "python3 -c 'import cv2, datalad'; echo; echo all"
    )
    assert "all" == said.splitlines()[-1]


def test_rules_by_file_type_work_without_a_database_of_the_system(engine: Engine) -> None:
    """A dataset of ``datalad create -c text2git``, as most are: outputs are judged by their encoding."""
    spec = (
        "{pipeline: {name: up}, input: {pfs: {name: in, repo: raw, glob: /*}}, "
        "transform: {cmd: [sh, -c, 'cp $PFS/in/* $PFS/out/; head -c 9 /dev/zero > $PFS/out/b.bin']}}"
    )
    said = engine.shell(
        "set -e; export HOME=/tmp; git config --global user.name U;"
        "git config --global user.email u@example.org;"
        "datalad -l error create -c text2git /tmp/ds >/dev/null; cd /tmp/ds; mkdir raw up;"
        f"echo a > raw/a.txt; cat > up/spec.yml <<'END'\n{spec}\nEND\n"
        "datalad -l error save -m data >/dev/null; tea-runner run -y --sandbox off >&2;"
        "for f in up/a.txt up/b.bin; do test -L $f && echo annex || echo git; done"
    )
    assert ["git", "annex"] == said.split()


def test_the_sandbox_holds_under_the_documented_options(engine: Engine) -> None:
    """With the two options bubblewrap makes its namespaces, and the state is not seen inside."""
    look = "id -u; ls /var/lib/tea-runner 2>&1 | grep -c 'No such'; ls /proc | grep -c '^[0-9]'"
    uid, hidden, processes = engine.text(
        *("run", "--rm", "--network=none", *OPTIONS, TAG, *BWRAP, "sh", "-c", look)
    ).split()
    assert "1000" == uid
    assert "1" == hidden
    assert int(processes) < 6


def test_no_way_leads_out_of_the_sandbox_in_the_image(engine: Engine) -> None:
    """The escape suite, started in a container by its ordinary user: every probe was held."""
    escape = f"{ROOT}/tests/hostile:/escape:ro"
    said = engine.text(
        *("run", "--rm", "--network=none", "-e", "TEA_CANARY=CANARY", *OPTIONS, "-v", escape, TAG),
        *("python3", "-IB", "/escape/escape.py", "/var/lib/tea-runner/job"),
        timeout=240,
    )
    answers: dict[str, str | None] = json.loads(said)
    assert len(answers) >= 60
    assert {} == {name: got for name, got in answers.items() if got is not None}


def test_the_default_command_serves_everything_and_stops_cleanly(engine: Engine) -> None:
    """Pages, forge, queue and workers come up in one container, and end when it is told to stop."""
    name = engine.text(
        "run", "-d", "--network=none", *OPTIONS, "--stop-timeout=60", TAG, timeout=120
    )
    try:
        ready = (
            "import sys, time, urllib.request as u\n"
            "def up(url):\n"
            "    try:\n        return u.urlopen(url, timeout=2).status == 200\n"
            "    except OSError:\n        return False\n"
            "urls = ['http://127.0.0.1:1706/readyz', 'http://127.0.0.1:3000/api/v1/version']\n"
            "end = time.monotonic() + 60\n"
            "while not all(map(up, urls)) and time.monotonic() < end: time.sleep(0.3)\n"
            "sys.exit(not all(map(up, urls)))\n"
        )
        answered = engine.accepts("exec", name, "python3", "-c", ready)
        logs = engine.text("logs", name)
        engine.text("stop", name, timeout=120)
        code = engine.text("inspect", "--format={{.State.ExitCode}}", name)
    finally:
        engine.accepts("rm", "-f", name)

    assert answered, logs
    assert "0" == code, logs
