"""Cgroups, where they can be made."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tea_runner.core.errors import OutsideError
from tea_runner.sandbox.cgroup import (
    MOUNT,
    Cgroup,
    Cgroups,
    _remove_cgroups_of_dead_workers,
    _version_2,
)
from tea_runner.sandbox.cgroup_fork_client import CgroupForkClient
from tea_runner.sandbox.execution_environment import Limits


def test_without_a_limit_there_is_no_group() -> None:
    """Without a memory limit there is no cgroup."""
    with Cgroups().hold(Limits()) as group:
        assert group is None


def test_two_who_make_groups_in_one_process_do_not_take_each_others_names(made: Cgroups) -> None:
    """Two sandboxes of one process both have cgroups."""
    other = Cgroups()
    with made.hold(Limits(memory=1 << 26)) as one, other.hold(Limits(memory=1 << 26)) as two:
        assert one is not None
        assert two is not None
        assert one[0] is not two[0]
    other.close()


def test_where_none_can_be_made_there_is_none(tmp_path: Path) -> None:
    """Without cgroups there is no error: the sum of the memory is watched."""
    with Cgroups(tmp_path / "nothing").hold(Limits(memory=1)) as group:
        assert group is None


def groups() -> list[Path]:
    """The cgroups that this process has made."""
    return [path for path in MOUNT.glob(f"**/tea-{os.getpid()}-*") if path.is_dir()]


def run(launcher: CgroupForkClient, *argv: str) -> tuple[int, str]:
    """Run a program; its exit code and output."""
    reading, printed = os.pipe()
    with open(os.devnull, "rb") as nothing:
        child = launcher.start(argv, stdin=nothing.fileno(), output=printed, pass_fds=())
    os.close(printed)
    with open(reading, "rb") as file:
        said = file.read().decode()
    return child.wait(), said


def own_group(text: str) -> str:
    """The cgroup's name in ``/proc/self/cgroup``."""
    mark = f"tea-{os.getpid()}-"
    (name,) = {line.rpartition("/")[2] for line in text.splitlines() if mark in line}
    return name


@pytest.fixture
def made() -> Iterator[Cgroups]:
    """The cgroups of a worker; skips where none can be made."""
    groups = Cgroups()
    with groups.hold(Limits(memory=1 << 26)) as held:
        if held is None:
            own = Path("/proc/self/cgroup").read_text("ascii")
            pytest.skip(f"no control group can be made here, in {own.split()}")
    yield groups
    groups.close()


def test_a_real_group_holds_one_command_after_the_other_and_is_gone_in_the_end(
    made: Cgroups,
) -> None:
    """A command starts in its cgroup; equal limits reuse it, others do not; all are removed."""
    seen = []
    for size in (1 << 26, 1 << 26, 1 << 27):
        with made.hold(Limits(memory=size)) as held:
            assert held is not None
            group, launcher = held
            code, said = run(launcher, "/bin/cat", "/proc/self/cgroup")
            assert 0 == code
            seen.append(own_group(said))
            assert not group.oom()
    assert seen[0] == seen[1] != seen[2]
    made.close()
    assert {*seen}.isdisjoint(path.name for path in groups())


def test_a_command_that_takes_too_much_is_ended_and_the_next_one_is_not(made: Cgroups) -> None:
    """The memory limit is enforced, and the OOM kill is reported for that command only."""
    greedy = "x = bytearray(1 << 28)"
    for program, ends in ((greedy, True), ("pass", False)):
        with made.hold(Limits(memory=1 << 26)) as held:
            assert held is not None
            group, launcher = held
            code, _ = run(launcher, sys.executable, "-c", program)
            assert (ends, ends) == (code != 0, group.oom())


def test_a_group_whose_launcher_was_killed_gets_another(made: Cgroups) -> None:
    """After the death of launcher or command, the next command runs in the same cgroup."""
    seen = []
    for _ in range(2):
        with made.hold(Limits(memory=1 << 26)) as held:
            assert held is not None
            seen.append(own_group(run(held[1], "/bin/cat", "/proc/self/cgroup")[1]))
            os.kill(held[1].pid, signal.SIGKILL)
            with pytest.raises(OutsideError, match="launcher has died"):
                run(held[1], "/bin/true")
    assert seen[0] == seen[1]


def test_only_what_happens_to_a_command_counts_for_it(tmp_path: Path) -> None:
    """A cgroup can be reused after an OOM kill."""
    (tmp_path / "memory.events").write_text("max 3\noom_kill 1\n")
    group = Cgroup(tmp_path)
    launcher = group.ready()
    try:
        assert launcher is not None
        assert str(launcher.pid) == (tmp_path / "cgroup.procs").read_text()
        assert not group.oom()
        (tmp_path / "memory.events").write_text("max 4\noom_kill 2\n")
        assert group.oom()
        assert launcher is group.ready()
        assert not group.oom()
    finally:
        group.remove()


def test_version_two_is_made_beside_the_workers_own(tmp_path: Path) -> None:
    """The new cgroup has the limits, no swap, and is killed as a whole."""
    (tmp_path / "cgroup.controllers").touch()
    service = tmp_path / "system.slice" / "tea.service"
    (service / "worker").mkdir(parents=True)
    found = _version_2(
        Limits(memory=1000, processes=8), tmp_path, "0::/system.slice/tea.service/worker\n"
    )
    assert (
        service,
        {
            "memory.max": "1000",
            "memory.swap.max": "0",
            "memory.oom.group": "1",
            "pids.max": "12",
        },
    ) == found


def test_a_worker_at_the_top_makes_no_group_outside(tmp_path: Path) -> None:
    """A worker in the root cgroup cannot make one beside its own."""
    (tmp_path / "cgroup.controllers").touch()
    assert _version_2(Limits(memory=1), tmp_path, "0::/\n") is None


def test_groups_of_dead_workers_are_swept(tmp_path: Path) -> None:
    """Cgroups of living workers and of other programs stay."""
    alive, dead, other = f"tea-{os.getpid()}-0", "tea-999999999-3", "tea-time"
    for name in (alive, dead, other):
        (tmp_path / name).mkdir()
    _remove_cgroups_of_dead_workers(tmp_path)
    assert {alive, other} == {path.name for path in tmp_path.iterdir()}


def test_a_limit_on_processors_is_a_quota(made: Cgroups) -> None:
    """In the kernel's own files, also where it has a hierarchy of its own; without one there is no limit."""
    if not made.limits_cpus():
        pytest.skip("no cgroup can limit processors here")
    with made.hold(Limits(memory=1 << 26, cpus=0.5)) as held:
        assert held is not None
        code, said = run(held[1], "/usr/bin/cat", "/proc/self/cgroup")
        assert 0 == code
        assert f"tea-{os.getpid()}-" in said
        files = [*MOUNT.glob(f"**/tea-{os.getpid()}-*/cpu.cfs_quota_us")]
        files += MOUNT.glob(f"**/tea-{os.getpid()}-*/cpu.max")
        assert "50000" in {each.read_text().split()[0] for each in files}
    made.close()
    assert [] == groups()
