"""Escapes tried from inside the sandbox, started by root and by an ordinary user."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tea_runner.host import process
from tea_runner.host.openat import remove_tree
from tea_runner.sandbox.bubblewrap import BubblewrapSandbox
from tea_runner.sandbox.unsandboxed import Unsandboxed
from tests.hostile import escape

_ROOT = Path(__file__).parents[2]
sys.argv, _argv = [sys.argv[0]], sys.argv
from tests.hostile import probes  # noqa: E402 - it reads its arguments

sys.argv = _argv

#: Nobody has this id.
_USER = 1_234_567


@pytest.fixture(scope="module")
def outside() -> Iterator[dict[str, Any]]:
    """Things of the host that a command must not reach, all there and all answering."""
    with escape.things() as made:
        yield made


@pytest.fixture(scope="module")
def answers(
    outside: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, escape.Answers]:
    """What the probes got: for who runs the tests and, when that is root, for an ordinary user."""
    os.environ["TEA_CANARY"] = "CANARY"
    missing = BubblewrapSandbox().check()
    if missing:
        pytest.skip(f"engine absent: {missing}")
    base = tmp_path_factory.mktemp("escape") / "job"
    result = {"me": escape.attempt(BubblewrapSandbox(), base, outside)}
    if os.geteuid() == 0 and _is_open(_ROOT):
        result["user"] = _as_user(outside)
    del os.environ["TEA_CANARY"]
    return result


def _is_open(place: Path) -> bool:
    """Whether an ordinary user can reach the checkout; root's home is closed to others."""
    return all(folder.stat().st_mode & 0o001 for folder in (place, *place.parents))


def _as_user(outside: dict[str, Any]) -> escape.Answers:
    """The same, the sandbox started by an ordinary user with a Python that all users can run."""
    home = Path(f"/tmp/tea-escape-user-{os.getpid()}")
    home.mkdir()
    os.chown(home, _USER, _USER)
    packages = [path for path in sys.path if path.endswith("site-packages")]
    try:
        done = process.run(
            (
                "setpriv",
                f"--reuid={_USER}",
                f"--regid={_USER}",
                "--clear-groups",
                "--",
                "/usr/bin/python3",
                "-BP",
                escape.__file__,
                str(home / "job"),
                json.dumps(outside),
            ),
            env={
                "PATH": os.environ["PATH"],
                "TEA_CANARY": "CANARY",
                "PYTHONPATH": ":".join((str(_ROOT), *packages)),
            },
            cwd="/",
            timeout=120,
        )
    finally:
        remove_tree(home)
    answers: escape.Answers = json.loads(done.stdout)
    return answers


def test_there_are_enough_ways() -> None:
    """Not a handful: the table of probes has at least sixty."""
    assert len(probes.PROBES) >= 60


@pytest.mark.parametrize("name", sorted(probes.PROBES))
def test_no_way_leads_out(name: str, answers: dict[str, escape.Answers]) -> None:
    """Every probe was tried and got nothing, whoever started the sandbox."""
    for who, got in answers.items():
        assert name in got, f"it was not tried by {who}"
        assert got[name] is None, f"started by {who}"


def test_an_ordinary_user_was_among_them(answers: dict[str, escape.Answers]) -> None:
    """The same ways, tried by a command whose sandbox somebody without rights has started."""
    if os.geteuid() == 0 and not _is_open(_ROOT):
        pytest.skip(
            f"{_ROOT} is closed to other users, so none of them can start a sandbox from it"
        )
    expected = {"me"} if os.geteuid() else {"me", "user"}
    assert expected == set(answers)


def test_the_host_is_as_it_was(answers: dict[str, escape.Answers]) -> None:
    """Nothing was written to the host's own places."""
    assert answers
    assert not Path("/usr/tea-escaped").exists()


#: Harmless, and possible for anybody without a sandbox.
_OPEN = (
    "read /home",
    "read /var",
    "read /sys",
    "read /proc/1/root",
    "read outside by its path",
    "see a process outside",
    "connect to a port of the host",
    "connect to an abstract socket",
    "connect to a socket by its path",
    "attach shared memory of the host",
    "names of users",
    "the host's name",
    "see more than the sandbox's processes",
    "filter 32-bit calls",
    "new privileges by a setuid program",
    "read outside by /proc/self/root/..",
    "the worker's secrets in variables",
)


def test_the_probes_get_out_where_there_are_no_walls(
    outside: dict[str, Any], tmp_path: Path
) -> None:
    """Without a sandbox the same probes succeed: they would have told."""
    names = [name for name in _OPEN if name in probes.PROBES and name not in probes.HARMFUL]
    got = escape.attempt(Unsandboxed(), tmp_path / "job", outside, *names)
    held = {name for name in names if got[name] is None}
    assert len(names) > 12
    # a kernel without 32-bit calls holds one by itself; the worker's variables stay with it
    assert held <= {"filter 32-bit calls", "the worker's secrets in variables"}
