"""Scratch directories of processes: removed when their owner is dead, and not before."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tea_runner.host import process
from tea_runner.sandbox.scratch_folder import ScratchFolder

_OWNER = """
import sys, pathlib
from tea_runner.sandbox.scratch_folder import ScratchFolder
room = ScratchFolder(pathlib.Path(sys.argv[1])).path
(room / "half a result").write_text("x" * 1000)
print(room, flush=True)
sys.stdin.read()
"""


def owner(root: Path) -> tuple[process.Process, Path]:
    """Another process with its own scratch directory."""
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)}
    started = process.start_process(
        [sys.executable, "-c", _OWNER, str(root)], env=env, stdin=process.PIPE
    )
    assert started.stdout is not None
    return started, Path(started.stdout.readline().decode().strip())


def test_a_room_is_left_to_its_owner_while_he_lives(tmp_path: Path) -> None:
    """Only the directories of dead processes are removed."""
    other, room = owner(tmp_path)
    mine = ScratchFolder(tmp_path)
    own = mine.path

    assert 0 == mine.sweep()
    assert room.is_dir()
    process.kill(other)
    assert 1 == mine.sweep()
    assert [own] == list(tmp_path.iterdir())
    mine.close()
    assert [] == list(tmp_path.iterdir())


def test_what_the_dead_closed_is_removed_too(tmp_path: Path) -> None:
    """Also directories of mode 000 and links to other directories, as hostile commands leave them."""
    other, room = owner(tmp_path / "scratch")
    outside = tmp_path / "precious"
    outside.write_text("stays")
    (room / "deep" / "deeper").mkdir(parents=True)
    (room / "link").symlink_to(outside)
    (room / "deep" / "deeper").chmod(0)
    process.kill(other)

    assert 1 == ScratchFolder(tmp_path / "scratch").sweep()
    assert "stays" == outside.read_text()


def test_a_room_that_vanished_is_made_again(tmp_path: Path) -> None:
    """After the scratch folder was emptied, a running worker makes its directory again."""
    scratch = ScratchFolder(tmp_path / "scratch")
    scratch.path.rmdir()

    assert scratch.path.is_dir()
    assert "" == scratch.problem()
    scratch.close()


def test_no_work_is_taken_without_space(tmp_path: Path) -> None:
    """The message has the folder, the free space and the required one."""
    scratch = ScratchFolder(tmp_path, min_free=2**60)

    assert f"{tmp_path} has " in scratch.problem()
    assert "worker.free asks for 1099511627776" in scratch.problem()
    scratch.close()


def test_no_work_is_taken_where_nothing_can_be_written(tmp_path: Path) -> None:
    """A file in place of the folder is a problem."""
    (tmp_path / "scratch").write_text("")
    scratch = ScratchFolder(tmp_path / "scratch")

    assert f"{tmp_path / 'scratch'} cannot be written: " in scratch.problem()
