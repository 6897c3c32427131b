"""A control group where one can be made, and none where it cannot."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tea_runner.adapters import process
from tea_runner.adapters.environments.cgroup import MOUNT, Cgroup, Cgroups, _second, _sweep
from tea_runner.adapters.environments.protocol import Limits


def test_without_a_limit_there_is_no_group() -> None:
    """Nothing is made for a command that may use what there is."""
    with Cgroups().hold(Limits(), os.getpid()) as group:
        assert group is None


def test_where_none_can_be_made_there_is_none(tmp_path: Path) -> None:
    """A machine without control groups is no error: the sum is watched instead."""
    with Cgroups(tmp_path / "nothing").hold(Limits(memory=1), os.getpid()) as group:
        assert group is None


def groups() -> list[Path]:
    """Ours, of this process."""
    return [path for path in MOUNT.glob(f"**/tea-{os.getpid()}-*") if path.is_dir()]


def test_a_real_group_holds_one_process_after_the_other_and_is_gone_in_the_end() -> None:
    """The kernel counts each in it; equal limits share it, others do not; nothing is left."""
    made = Cgroups()
    seen = []
    for size in (1 << 26, 1 << 26, 1 << 27):
        child = process.start(("sleep", "60"), env={"PATH": "/usr/bin:/bin"})
        try:
            with made.hold(Limits(memory=size), child.pid) as group:
                if group is None:
                    pytest.skip("no control group can be made here")
                (own,) = {
                    line.rpartition("/")[2]
                    for line in Path(f"/proc/{child.pid}/cgroup").read_text().splitlines()
                    if f"tea-{os.getpid()}-" in line
                }
                seen.append(own)
                assert not group.oom()
                process.kill(child)
        finally:
            process.kill(child)
    assert seen[0] == seen[1] != seen[2]
    made.close()
    assert {*seen}.isdisjoint(path.name for path in groups())


def test_only_what_happens_to_a_command_counts_for_it(tmp_path: Path) -> None:
    """A group in which an earlier command ran out of memory is as good as new."""
    (tmp_path / "memory.events").write_text("max 3\noom_kill 1\n")
    group = Cgroup(tmp_path)
    assert group.add(77)
    assert not group.oom()
    (tmp_path / "memory.events").write_text("max 4\noom_kill 2\n")
    assert group.oom()
    assert "77" == (tmp_path / "cgroup.procs").read_text()


def test_version_two_is_made_beside_the_workers_own(tmp_path: Path) -> None:
    """The new group has the limits, no swap, and ends as a whole."""
    (tmp_path / "cgroup.controllers").touch()
    service = tmp_path / "system.slice" / "tea.service"
    (service / "worker").mkdir(parents=True)
    found = _second(
        Limits(memory=1000, processes=8), tmp_path, "0::/system.slice/tea.service/worker\n"
    )
    assert (
        service,
        {
            "memory.max": "1000",
            "memory.swap.max": "0",
            "memory.oom.group": "1",
            "pids.max": "10",
        },
    ) == found


def test_a_worker_at_the_top_makes_no_group_outside(tmp_path: Path) -> None:
    """A worker in the root group has nothing beside it."""
    (tmp_path / "cgroup.controllers").touch()
    assert _second(Limits(memory=1), tmp_path, "0::/\n") is None


def test_groups_of_dead_workers_are_swept(tmp_path: Path) -> None:
    """Those of the living, and directories of others, stay."""
    alive, dead, other = f"tea-{os.getpid()}-0", "tea-999999999-3", "tea-time"
    for name in (alive, dead, other):
        (tmp_path / name).mkdir()
    _sweep(tmp_path)
    assert {alive, other} == {path.name for path in tmp_path.iterdir()}
