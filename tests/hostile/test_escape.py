"""Ways out of the sandbox, all tried from inside, started by root and by an ordinary user."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tea_runner.adapters import process
from tea_runner.adapters.environments.host import HostSandbox
from tea_runner.adapters.environments.machine import interpreters
from tea_runner.adapters.environments.plain import Plain
from tea_runner.adapters.environments.protocol import Environment, Execution, Limits
from tea_runner.adapters.openat import remove_tree

_HERE = Path(__file__).parent
_ROOT = _HERE.parents[1]
sys.argv, _argv = [sys.argv[0]], sys.argv
from tests.hostile import probes  # noqa: E402 - it reads its arguments

sys.argv = _argv

_LIMITS = Limits(memory=1 << 30, processes=64, file_size=1 << 30, open_files=256, scratch=16 << 20)
#: Nobody has this id.
_USER = 1_234_567


def _run(environment: Environment, base: Path, outside: dict[str, Any], *only: str) -> str:
    """All probes in one sandbox; what they said."""
    said = bytearray()
    outcome = environment.run(
        Execution(
            argv=("/usr/bin/python3", "-I", str(base / "probes.py"), json.dumps(outside), *only)
            if environment.name == "off"
            else ("/usr/bin/python3", "-I", "/dataset/probes.py", json.dumps(outside), *only),
            env={"LC_ALL": "C.UTF-8"}, view=base / "view", out=base / "out", code=base / "code",
            log=said.extend, timeout=120, limits=_LIMITS,
        )
    )  # fmt: skip
    assert 0 == outcome.code, said.decode("utf-8", "replace")
    return said.decode("utf-8", "replace")


def _answers(said: str) -> dict[str, str | None]:
    result: dict[str, str | None] = {}
    for line in said.splitlines():
        if line.startswith("{"):
            result.update(json.loads(line))
    return result


def _prepare(base: Path) -> None:
    for directory in ("view/images", "out", "code"):
        (base / directory).mkdir(parents=True)
    (base / "view/images/a.txt").write_text("hello")
    (base / "code/tool.sh").write_text("#!/bin/sh\n")
    shutil.copy(_HERE / "probes.py", base / "code")
    shutil.copy(_HERE / "probes.py", base)


@pytest.fixture(scope="module")
def outside() -> Iterator[dict[str, Any]]:
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
    yield {
        "file": str(place / "secret"), "process": os.getpid(), "abstract": abstract,
        "port": listeners[0].getsockname()[1], "socket": str(place / "socket"), "memory": key,
        "shown": [str(path) for path in interpreters()],
    }  # fmt: skip
    libc.shmctl(segment, 0, None)
    for listener in listeners:
        listener.close()
    remove_tree(place)


def _accept(listener: socket.socket) -> None:
    while True:
        try:
            listener.accept()[0].close()
        except OSError:
            return


@pytest.fixture(scope="module")
def answers(
    outside: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, str | None]]:
    """What the probes got: for who runs the tests and, when that is root, for an ordinary user."""
    os.environ["TEA_CANARY"] = "CANARY"
    missing = HostSandbox().check()
    if missing:
        pytest.skip(f"engine absent: {missing}")
    base = tmp_path_factory.mktemp("escape") / "job"
    _prepare(base)
    result = {"me": _answers(_run(HostSandbox(), base, outside))}
    if os.geteuid() == 0 and _is_open(_ROOT):
        result["user"] = _answers(_as_user(outside))
    del os.environ["TEA_CANARY"]
    return result


def _is_open(place: Path) -> bool:
    """Whether an ordinary user can reach the checkout; root's home is closed to others."""
    return all(folder.stat().st_mode & 0o001 for folder in (place, *place.parents))


_AS_USER = """
import json, sys
sys.path.insert(0, {root!r})
from pathlib import Path
from tests.hostile import test_escape as t
print(t._run(t.HostSandbox(), Path({base!r}), json.loads({outside!r})))
"""


def _as_user(outside: dict[str, Any]) -> str:
    """The same, the sandbox started by an ordinary user with a Python that all users can run."""
    base = Path(f"/tmp/tea-escape-user-{os.getpid()}")
    _prepare(base)
    for place in (base, *base.rglob("*")):
        os.chown(place, _USER, _USER)
    packages = [path for path in sys.path if path.endswith("site-packages")]
    script = _AS_USER.format(root=str(_ROOT), base=str(base), outside=json.dumps(outside))
    try:
        done = process.run(
            ("setpriv", f"--reuid={_USER}", f"--regid={_USER}", "--clear-groups", "--",
             "/usr/bin/python3", "-B", "-c", script),
            env={"PATH": os.environ["PATH"], "TEA_CANARY": "CANARY",
                 "PYTHONPATH": ":".join(packages)},
            cwd="/", timeout=120,
        )  # fmt: skip
    finally:
        remove_tree(base)
    return done.stdout.decode("utf-8", "replace")


def test_there_are_enough_ways() -> None:
    """Not a handful: the table of probes has at least sixty."""
    assert len(probes.PROBES) >= 60


@pytest.mark.parametrize("name", sorted(probes.PROBES))
def test_no_way_leads_out(name: str, answers: dict[str, dict[str, str | None]]) -> None:
    """Every probe was tried and got nothing, whoever started the sandbox."""
    for who, got in answers.items():
        assert name in got, f"it was not tried by {who}"
        assert got[name] is None, f"started by {who}"


def test_an_ordinary_user_was_among_them(answers: dict[str, dict[str, str | None]]) -> None:
    """The same ways, tried by a command whose sandbox somebody without rights has started."""
    if os.geteuid() == 0 and not _is_open(_ROOT):
        pytest.skip(
            f"{_ROOT} is closed to other users, so none of them can start a sandbox from it"
        )
    expected = {"me"} if os.geteuid() else {"me", "user"}
    assert expected == set(answers)


def test_the_host_is_as_it_was(answers: dict[str, dict[str, str | None]]) -> None:
    """Nothing was written to the host's own places."""
    assert answers
    assert not Path("/usr/tea-escaped").exists()


#: Harmless, and possible for anybody without a sandbox.
_OPEN = (
    "read /home", "read /var", "read /sys", "read /proc/1/root", "read outside by its path",
    "see a process outside", "connect to a port of the host", "connect to an abstract socket",
    "connect to a socket by its path", "attach shared memory of the host", "names of users",
    "the host's name", "see more than the sandbox's processes", "filter 32-bit calls",
    "new privileges by a setuid program", "read outside by /proc/self/root/..",
    "the worker's secrets in variables",
)  # fmt: skip


def test_the_probes_get_out_where_there_are_no_walls(
    outside: dict[str, Any], tmp_path: Path
) -> None:
    """Without a sandbox the same probes succeed: they would have told."""
    _prepare(tmp_path / "job")
    base = tmp_path / "job"
    names = [name for name in _OPEN if name in probes.PROBES and name not in probes.HARMFUL]
    got = _answers(_run(Plain(), base, outside, *names))
    held = {name for name in names if got[name] is None}
    assert len(names) > 12
    # a kernel without 32-bit calls holds one by itself; the worker's variables stay with it
    assert held <= {"filter 32-bit calls", "the worker's secrets in variables"}
