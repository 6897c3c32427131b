"""A control group where one can be made, and none where it cannot."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tea_runner.adapters import process
from tea_runner.adapters.environments.cgroup import Cgroup, _second
from tea_runner.adapters.environments.protocol import Limits


def test_without_a_limit_there_is_no_group() -> None:
    """Nothing is made for a command that may use what there is."""
    with Cgroup.hold(Limits(), os.getpid()) as group:
        assert group is None


def test_where_none_can_be_made_there_is_none(tmp_path: Path) -> None:
    """A machine without control groups is no error: the sum is watched instead."""
    with Cgroup.hold(Limits(memory=1), os.getpid(), mount=tmp_path / "nothing") as group:
        assert group is None


def test_a_real_group_holds_a_process_and_is_gone() -> None:
    """The kernel counts the process in it, and nothing is left when it has ended."""
    child = process.start(("sleep", "60"), env={"PATH": "/usr/bin:/bin"})
    try:
        with Cgroup.hold(Limits(memory=1 << 26), child.pid) as group:
            if group is None:
                pytest.skip("no control group can be made here")
            name = f"tea-{os.getpid()}-{child.pid}"
            assert name in Path(f"/proc/{child.pid}/cgroup").read_text()
            assert not group.oom()
            process.kill(child)
    finally:
        process.kill(child)
    assert [] == list(Path("/sys/fs/cgroup").glob(f"**/{name}"))


def test_version_two_is_made_beside_the_workers_own(tmp_path: Path) -> None:
    """The new group has the limits, no swap, and ends as a whole."""
    (tmp_path / "cgroup.controllers").touch()
    service = tmp_path / "system.slice" / "tea.service"
    (service / "worker").mkdir(parents=True)
    limits = Limits(memory=1000, processes=8)
    group = _second(limits, 77, tmp_path, "0::/system.slice/tea.service/worker\n")
    assert group is not None
    made = service / f"tea-{os.getpid()}-77"
    written = {path.name: path.read_text() for path in made.iterdir()}
    assert {"memory.max": "1000", "memory.oom.group": "1", "pids.max": "10",
            "cgroup.procs": "77"} == written  # fmt: skip
    (made / "memory.events").write_text("max 3\noom_kill 1\n")
    assert group.oom()


def test_a_worker_at_the_top_makes_no_group_outside(tmp_path: Path) -> None:
    """A worker in the root group has nothing beside it."""
    (tmp_path / "cgroup.controllers").touch()
    assert _second(Limits(memory=1), 1, tmp_path, "0::/\n") is None
