"""What only the bubblewrap sandbox has: its arguments, its seccomp filter, its users."""

from __future__ import annotations

import contextlib
import os
import platform
import random
import signal
import struct
import threading
import time
from pathlib import Path

import pytest

from tea_runner.core.errors import OutsideError, Refused
from tea_runner.host import process
from tea_runner.sandbox import bubblewrap_options, job_user, seccomp, system_mounts
from tea_runner.sandbox.bubblewrap import BubblewrapSandbox
from tea_runner.sandbox.bubblewrap_options import Bind, SandboxLayout
from tea_runner.sandbox.etc_folder import EtcFolder
from tea_runner.sandbox.execution_environment import Limits, Mount

from .conftest import Bench

_SANDBOX = SandboxLayout(
    system=(Bind(source="/usr", target="/usr"), Bind(source="/opt/v/x", target="/opt/v/x")),
    links=(("/bin", "usr/bin"),),
    files=((11, "/etc/passwd"),),
    binds=(
        Bind(source="/job/code", target="/dataset"),
        Bind(source="/job/view/a b", target="/pfs/a b"),
        Bind(source="/job/out", target="/pfs/out", writable=True),
    ),
    env={"B": "2", "A": "--bind"},
    cwd="/dataset",
    scratch=1 << 20,
    network=False,
    mapped=False,
    seccomp=12,
    status=13,
    gate=14,
    null=15,
)
_GOLDEN = """\
--unshare-all --unshare-user --die-with-parent --new-session --hostname sandbox --clearenv
--cap-drop ALL --disable-userns --uid 65534 --gid 65534 --block-fd 14 --json-status-fd 13
--seccomp 12 --proc /proc --dev /dev --perms 1777 --size 262144 --tmpfs /dev/shm --remount-ro /dev
--perms 1777 --size 1048576 --tmpfs /tmp --ro-bind /usr /usr --perms 0755 --dir /opt
--perms 0755 --dir /opt/v --ro-bind /opt/v/x /opt/v/x --symlink usr/bin /bin
--perms 0755 --dir /etc --perms 0444 --ro-bind-data 11 /etc/passwd --ro-bind /job/code /dataset
--perms 0755 --dir /pfs --ro-bind /job/view/a_b /pfs/a_b --bind /job/out /pfs/out --remount-ro /
--setenv A --bind --setenv B 2 --chdir /dataset"""


def test_the_arguments_of_a_sandbox_are_known_by_heart() -> None:
    """The whole command line of bubblewrap is compared."""
    said = [option.replace("a b", "a_b") for option in bubblewrap_options.options(_SANDBOX)]
    assert _GOLDEN.split() == said


def test_root_keeps_only_what_setpriv_needs() -> None:
    """When root starts it, it has a user map, three capabilities, and setpriv to drop them."""
    import dataclasses

    said = " ".join(bubblewrap_options.options(dataclasses.replace(_SANDBOX, mapped=True)))
    assert (
        "--cap-drop ALL --cap-add CAP_SETUID --cap-add CAP_SETGID --cap-add CAP_SETPCAP "
        "--userns-block-fd 14 --info-fd 15 --block-fd 14"
    ) in said
    assert (
        "/usr/bin/setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "--inh-caps=-all",
        "--bounding-set=-all",
        "--",
        "cmd",
        "x",
    ) == bubblewrap_options.command(("cmd", "x"), {"A": "1"}, mapped=True)


def test_what_steers_a_loader_is_set_after_the_user_is_nobody() -> None:
    """A pipeline's LD_PRELOAD is not loaded into setpriv while it has capabilities."""
    env = {"LD_PRELOAD": "/pfs/out/x.so", "GLIBC_TUNABLES": "x", "LOCPATH": "y", "A": "1"}
    assert {"A": "1"} == bubblewrap_options.bwrap_environment(env, mapped=True)
    argv = bubblewrap_options.command(("cmd",), env, mapped=True)
    after = argv[argv.index("--") + 1 :]
    assert (
        "/usr/bin/env",
        "GLIBC_TUNABLES=x",
        "LD_PRELOAD=/pfs/out/x.so",
        "LOCPATH=y",
        "cmd",
    ) == after
    assert env == bubblewrap_options.bwrap_environment(env, mapped=False)


@pytest.mark.parametrize("name", sorted(seccomp.MACHINES))
def test_every_way_through_the_filter_ends(name: str) -> None:
    """For every system call and argument the BPF program ends with a verdict."""
    code = seccomp.filter_program(name)
    steps = [struct.unpack_from("<HBBI", code, at) for at in range(0, len(code), 8)]
    numbers = seccomp.MACHINES[name]
    asked = {
        *numbers.denied,
        numbers.clone,
        numbers.clone3,
        numbers.ioctl,
        numbers.socket,
        numbers.socketpair,
        0,
        63,
        0x40000001,
    }
    values = (0, 1, 2, 9, 10, 16, 40, 0x5412, 0x541C, 0x10000000, 0xFFFFFFFF)
    for number in asked:
        for first in values:
            for second in (0, 0x5412, 0x541C, 7):
                data = {0: number, 4: numbers.audit, 16: first, 24: second, 32: 9}
                answer = _interpret(steps, data)
                if number in numbers.denied:
                    assert 0x00050001 == answer
                if number == numbers.clone:
                    assert (0x7FFF0000 == answer) == (not first & 0x7E020000)
                if number == numbers.ioctl:
                    assert (0x7FFF0000 == answer) == (second not in (0x5412, 0x541C))
                if number == numbers.socket:
                    assert (0x7FFF0000 == answer) == (first in (1, 2, 10))
    assert 0x00050026 == _interpret(steps, {4: 0x40000003})


def _interpret(steps: list[tuple[int, int, int, int]], data: dict[int, int]) -> int:
    """Run a BPF program as the kernel does."""
    at, value = 0, 0
    while True:
        operation, when, otherwise, constant = steps[at]
        at += 1
        if operation == 0x20:
            value = data[constant]
        elif operation == 0x54:
            value &= constant
        elif operation == 0x06:
            return constant
        else:
            true = value == constant if operation == 0x15 else value >= constant
            at += when if true else otherwise


def test_a_netlink_socket_is_for_routes_only() -> None:
    """Of netlink, only the route family is allowed."""
    code = seccomp.filter_program("x86_64")
    steps = [struct.unpack_from("<HBBI", code, at) for at in range(0, len(code), 8)]
    asked = {4: 0xC000003E, 0: 41, 16: 16, 24: 3}
    assert 0x7FFF0000 == _interpret(steps, {**asked, 32: 0})
    assert 0x0005005D == _interpret(steps, {**asked, 32: 9})


@pytest.mark.parametrize(
    ("uid_map", "user"),
    [
        ("         0          0 4294967295", 1_900_000_007),
        ("0 100000 65536", 61_191),
        ("0 1000 1", None),
        ("0 1000 1\n1 100000 65536", 61_191),
    ],
)
def test_root_becomes_a_user_that_is_there(uid_map: str, user: int | None) -> None:
    """The user id is one of those in the map; with a single id it is not changed."""
    assert user == job_user.choose_user(uid_map, 7)


def test_a_pipelines_user_is_not_root_outside(tmp_path: Path) -> None:
    """Files that root's command writes belong to a user id without an account."""
    bench = Bench(BubblewrapSandbox(), tmp_path)
    if bench.environment.check():
        pytest.skip(f"engine absent: {bench.environment.check()}")
    for directory in (bench.view, bench.out, bench.code):
        directory.mkdir()
    bench.shell("touch $OUT/x; id -u; cat /proc/self/gid_map")
    owner = (bench.out / "x").stat().st_uid
    assert "65534" == bench.text.splitlines()[0]
    assert (owner == os.geteuid()) == (os.geteuid() != 0)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A bench with the sandbox only."""
    made = Bench(BubblewrapSandbox(), tmp_path / "job")
    missing = made.environment.check()
    if missing:
        pytest.skip(f"engine absent: {missing}")
    for directory in (made.view / "in", made.out, made.code):
        directory.mkdir(parents=True)
    return made


def test_a_command_has_two_processes_of_bubblewrap_and_no_more(bench: Bench) -> None:
    """The processes inside are bubblewrap and the command, without a shell or wrapper."""
    bench.run("ls", "/proc")
    assert {"1", "2"} == {name for name in bench.text.split() if name.isdigit()}


def test_the_running_python_is_the_python_inside(bench: Bench) -> None:
    """A pipeline's python3 is the one that runs tea-runner, with its packages."""
    bench.run("python3", "-c", "import sys; print(sys.prefix, sys.version_info[:3])")
    import sys

    assert f"{sys.prefix} {tuple(sys.version_info[:3])}" == bench.text.strip()


def test_a_file_can_be_shown_at_a_path_of_its_own(bench: Bench) -> None:
    """A secret that is a file is mounted read-only and is not among the outputs."""
    secret = bench.base / "secret"
    secret.write_text("s3cret")
    secret.chmod(0o444)
    mount = Mount(source=secret, target="/run/secrets/token")
    bench.shell("cat /run/secrets/token; echo x > /run/secrets/token", mounts=(mount,))
    assert bench.text.startswith("s3cret")
    assert "s3cret" == secret.read_text()


@pytest.mark.parametrize("target", ["/", "/proc/x", "relative", "/usr", "/a/../etc", "/dev/x"])
def test_nothing_is_shown_over_the_systems_places(bench: Bench, target: str) -> None:
    """A mount that would cover the sandbox's own paths is refused."""
    with pytest.raises(Refused, match="nothing can be mounted at"):
        bench.run("true", mounts=(Mount(source=bench.out, target=target),))


def test_scratch_has_an_end(bench: Bench) -> None:
    """The size of the private /tmp is limited."""
    outcome = bench.shell("head -c 9000000 /dev/zero > /tmp/x", limits=Limits(scratch=4 << 20))
    assert outcome.code != 0
    assert "No space left" in bench.text


def test_a_variable_of_the_loader_arrives(bench: Bench) -> None:
    """The command gets LD_LIBRARY_PATH, the programs that start it do not."""
    bench.shell("echo $LD_LIBRARY_PATH", env={"LD_LIBRARY_PATH": "/dataset/lib"})
    assert "/dataset/lib" == bench.text.strip()


def test_a_sandbox_that_cannot_be_made_is_no_commands_failure(bench: Bench) -> None:
    """When bubblewrap fails, its message is in an OutsideError."""
    with pytest.raises(OutsideError, match="the sandbox could not be made"):
        bench.run("true", cwd="/nowhere")


@pytest.mark.parametrize("limits", [Limits(), Limits(memory=1 << 28)])
def test_whatever_of_a_sandbox_is_killed_is_no_bug(bench: Bench, limits: Limits) -> None:
    """When launcher, bwrap or command is killed, the run ends with an outcome or an OutsideError."""
    chance = random.Random(7)
    seen = set()
    others = set(process.descendants(os.getpid()))

    def kill(after: float) -> None:
        time.sleep(after)
        below = sorted(set(process.descendants(os.getpid())) - others)
        with contextlib.suppress(ProcessLookupError, IndexError):
            os.kill(chance.choice(below), signal.SIGKILL)

    for _ in range(60):
        killer = threading.Thread(target=kill, args=(chance.uniform(0, 0.02),))
        killer.start()
        try:
            seen.add(bench.run("true", limits=limits).code)
        except OutsideError as error:
            seen.add(str(error))
        killer.join()
    assert {0} < seen
    assert 0 == bench.run("true", limits=limits).code


@pytest.mark.parametrize("system", ["Darwin", "Windows"])
def test_another_system_is_told_to_use_an_engine(
    system: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No package could be installed there; the sentence names what works."""
    monkeypatch.setattr("platform.system", lambda: system)
    refusal = BubblewrapSandbox().check() or ""
    assert f"this is {system}: give the pipelines an image" in refusal
    assert "docker or podman" in refusal


def test_a_missing_bubblewrap_is_named_with_its_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without bwrap there is a message with what to install, and no fallback."""
    monkeypatch.setenv("PATH", str(tmp_path))
    sandbox = BubblewrapSandbox()
    assert "apt install bubblewrap" in (sandbox.check() or "")
    with pytest.raises(Refused, match="bubblewrap is missing"):
        Bench(sandbox, tmp_path).run("true", view=None, out=None, code=None)


def test_an_image_is_refused(bench: Bench) -> None:
    """The host's identity has no parameters; an image is refused."""
    assert ("host",) == bench.environment.identity("")
    with pytest.raises(Refused, match="needs a container"):
        bench.environment.identity("x@sha256:1")


def test_only_what_is_there_is_shown(tmp_path: Path) -> None:
    """A directory /bin is shown as such; without /etc/R nothing is shown there."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "usr/lib").mkdir(parents=True)
    (tmp_path / "lib").symlink_to("usr/lib")
    (tmp_path / "etc/ssl/certs").mkdir(parents=True)
    etc = EtcFolder(tmp_path / "kept", tmp_path / "etc").binds(apart=True, network=False)
    shown = [b.target for b in system_mounts.system([Path("/usr/x")], etc, root=tmp_path)]
    assert ["/usr", "/bin", "/etc/ssl/certs"] == shown
    assert (("/lib", "usr/lib"),) == system_mounts.links(tmp_path)


def test_a_file_can_be_shown_below_etc(bench: Bench, tmp_path: Path) -> None:
    """A mount below /etc is there beside the parts of the system."""
    (tmp_path / "token").write_text("given")
    mount = Mount(source=tmp_path / "token", target="/etc/lab/token")
    bench.shell("cat /etc/lab/token; wc -l </etc/passwd; ls /etc", mounts=(mount,))
    said = bench.text.split()
    assert ["given2", True] == [said[0], "ld.so.cache" in said]


def test_the_filter_is_for_this_machine() -> None:
    """There is a filter for this machine."""
    assert platform.machine() in seccomp.MACHINES
