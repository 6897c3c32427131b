"""The limit of memory where no control group can be made: what still holds, what is said, who refuses."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tea_runner.core.errors import Refused
from tea_runner.sandbox.bubblewrap import BubblewrapSandbox
from tea_runner.sandbox.execution_environment import Execution, Limits
from tea_runner.sandbox.kinds import EnvironmentChoice, choose_environment, memory_control
from tests.cli.dataset import tea

_LIMITS = Limits(memory=150_000_000)
_WRITE = "b = b'x' * 1000000\nfor _ in range(400): os.write(f, b)\ntime.sleep(9)"
#: Ways to take 400 MB without mapping them.
_ATTACKS = {
    "a memory file": f"import os, time\nf = os.memfd_create('x')\n{_WRITE}",
    "a memory file of a child": f"import os, time\nf = os.memfd_create('x')\nos.fork()\n{_WRITE}",
    "memory files": (
        "import os, time\nfor n in range(8):\n f = os.memfd_create('x')\n"
        " for _ in range(50): os.write(f, b'x' * 1000000)\ntime.sleep(9)"
    ),
}


@pytest.fixture
def nowhere(tmp_path: Path) -> Path:
    """A place where no control group can be made."""
    return tmp_path / "cgroup"


@pytest.mark.parametrize("attack", sorted(_ATTACKS))
def test_memory_files_count_without_a_control_group(nowhere: Path, attack: str) -> None:
    """Their pages belong to no process, but the process has them open."""
    sandbox = BubblewrapSandbox(cgroups=nowhere)
    if missing := sandbox.check():
        pytest.skip(f"engine absent: {missing}")
    outcome = sandbox.run(
        Execution(
            argv=("python3", "-c", _ATTACKS[attack]),
            env={},
            view=None,
            out=None,
            log=lambda _: None,
            timeout=8,
            limits=_LIMITS,
        )
    )
    assert (True, False) == (outcome.oom, outcome.timed_out)


def test_a_mapped_memory_file_counts_once(nowhere: Path) -> None:
    """A command that shares 100 MB between two processes is not ended at 150."""
    sandbox = BubblewrapSandbox(cgroups=nowhere)
    if missing := sandbox.check():
        pytest.skip(f"engine absent: {missing}")
    text = (
        "import mmap, os, time\nf = os.memfd_create('x')\nos.truncate(f, 100_000_000)\n"
        "m = mmap.mmap(f, 100_000_000)\nm[:] = b'x' * 100_000_000\nos.fork()\ntime.sleep(1)"
    )
    argv = ("python3", "-c", text)
    limits = Limits(memory=250_000_000)
    outcome = sandbox.run(
        Execution(argv=argv, env={}, view=None, out=None, log=lambda _: None, limits=limits)
    )
    assert (0, False) == (outcome.code, outcome.oom)


@pytest.mark.parametrize("kind", ["host", "off"])
def test_commands_are_refused_where_a_control_group_is_required(nowhere: Path, kind: str) -> None:
    """The sentence names the setting and how systemd gives one."""
    choice = EnvironmentChoice(sandbox=kind, cgroups=nowhere)
    assert kind == choose_environment("", choice).name
    choice = EnvironmentChoice(sandbox=kind, cgroups=nowhere, require_cgroup=True)
    with pytest.raises(Refused, match=r"no control group .*Delegate=yes.*sandbox\.require_cgroup"):
        choose_environment("", choice)


def test_what_holds_is_known(nowhere: Path) -> None:
    """Engines make control groups of their own."""
    choice = EnvironmentChoice(cgroups=nowhere)
    assert {"host": "watched", "off": "watched", "apptainer": "watched", "docker": "held"} == {
        kind: memory_control(kind, choice) for kind in ("host", "off", "apptainer", "docker")
    }


@pytest.mark.long
def test_check_and_worker_say_which_limits_hold(tmp_path: Path) -> None:
    """On this host; a worker that may not run without a control group does not start."""
    found = {row["name"]: row for row in tea(tmp_path, "check", "--json").json}
    assert "memory of commands" in found
    env = {
        "TEA_RUNNER_SANDBOX__KIND": "off",
        "TEA_RUNNER_SANDBOX__REQUIRE_CGROUP": "true",
        "TEA_RUNNER_STATE": str(tmp_path),
        "PATH": os.environ["PATH"],
    }
    found = {row["name"]: row for row in tea(tmp_path, "check", "--json", env=env).json}
    assert "error" == found["memory of commands"]["state"]
    said = tea(tmp_path, "worker", "--burst", env=env)
    assert (1, True) == (said.code, "sandbox.require_cgroup" in said.err), said
