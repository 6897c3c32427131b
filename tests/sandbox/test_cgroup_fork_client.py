"""A process of the launcher is like a child: descriptors, arguments, group and exit code."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tea_runner.core.errors import OutsideError
from tea_runner.host import process
from tea_runner.sandbox.cgroup_fork_client import CgroupForkClient, ForkedProcess


@pytest.fixture
def launcher() -> Iterator[CgroupForkClient]:
    """A launcher, closed at the end of the test."""
    made = CgroupForkClient()
    yield made
    made.close()


def start(
    launcher: CgroupForkClient, *argv: str, pass_fds: tuple[int, ...] = ()
) -> tuple[ForkedProcess, int]:
    """Start a program with an input; the process and its output."""
    reading, printed = os.pipe()
    asking, answer = os.pipe()
    os.write(answer, b"asked")
    os.close(answer)
    try:
        child = launcher.start(argv, stdin=asking, output=printed, pass_fds=pass_fds)
    finally:
        os.close(printed)
        os.close(asking)
    return child, reading


def said(reading: int) -> str:
    """The whole output."""
    with open(reading, "rb") as file:
        return file.read().decode()


def test_descriptors_words_and_directory_arrive_as_they_were_given(
    launcher: CgroupForkClient,
) -> None:
    """Descriptors keep their numbers, arguments their bytes; nothing else is open or set."""
    program = (
        "import json, os, sys\n"
        "number = int(sys.argv[1])\n"
        "open_now = {int(n) for n in os.listdir('/proc/self/fd') if os.path.exists(f'/proc/self/fd/{n}')}\n"
        "print(json.dumps({'words': sys.argv[2:], 'stdin': sys.stdin.read(), 'cwd': os.getcwd(),\n"
        "  'handed': os.read(number, 9).decode(), 'open': sorted(open_now - {0, 1, 2, number}),\n"
        "  'env': os.environ.get('LC_ALL'), 'home': os.environ.get('HOME'),\n"
        "  'leads': os.getpgid(0) == os.getpid()}), file=sys.stderr)\n"
    )
    handed = os.memfd_create("handed")
    os.write(handed, b"handed")
    os.lseek(handed, 0, os.SEEK_SET)
    words = ("", "a b\n'", "\udcff")
    child, reading = start(
        launcher, sys.executable, "-c", program, str(handed), *words, pass_fds=(handed,)
    )
    os.close(handed)
    found = json.loads(said(reading))
    assert 0 == child.wait()
    assert {
        "words": list(words),
        "stdin": "asked",
        "cwd": "/",
        "handed": "handed",
        "open": [],
        "env": "C",
        "home": None,
        "leads": True,
    } == found


@pytest.mark.parametrize(("command", "code"), [("exit 3", 3), ("kill -TERM $$", -15)])
def test_the_code_is_that_of_the_process(
    launcher: CgroupForkClient, command: str, code: int
) -> None:
    """The exit code is right after a signal, too, and stays available."""
    child, reading = start(launcher, "/bin/sh", "-c", command)
    said(reading)
    assert (code, code) == (child.wait(), child.poll())


def test_it_runs_until_it_ends(launcher: CgroupForkClient) -> None:
    """A running process has no exit code."""
    child, reading = start(launcher, "/bin/sh", "-c", "read -r x; read -r y; sleep 60")
    assert child.poll() is None
    os.kill(child.pid, signal.SIGKILL)
    said(reading)
    assert -9 == child.wait()


def test_a_program_that_is_not_there_is_said(launcher: CgroupForkClient) -> None:
    """The error has the program's name, and the launcher can be used again."""
    with pytest.raises(OutsideError, match="cannot start /nowhere/at/all: No such file"):
        start(launcher, "/nowhere/at/all")
    child, reading = start(launcher, "/bin/cat")
    assert ("asked", 0) == (said(reading), child.wait())


def test_one_that_was_killed_is_said_and_its_processes_count_as_killed() -> None:
    """After the launcher's death a request fails at once."""
    launcher = CgroupForkClient()
    child, reading = start(launcher, "/bin/sh", "-c", "sleep 0.2")
    os.kill(launcher.pid, signal.SIGKILL)
    said(reading)
    assert -9 == child.wait()
    with pytest.raises(OutsideError, match="its launcher has died"):
        start(launcher, "/bin/true")
    assert not launcher.alive
    launcher.close()


def test_it_ends_when_the_worker_does() -> None:
    """The launcher ends with its worker: the kernel closes the socket."""
    program = (
        "import os\n"
        "from tea_runner.sandbox.cgroup_fork_client import CgroupForkClient\n"
        "print(CgroupForkClient().pid, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = process.run([sys.executable, "-c", program], env=dict(os.environ), check=False)
    assert -9 == done.returncode
    place = Path(f"/proc/{int(done.stdout)}/cmdline")
    end = time.monotonic() + 20
    while place.exists() and b"launcher_program" in place.read_bytes():
        assert time.monotonic() < end
        time.sleep(0.01)
