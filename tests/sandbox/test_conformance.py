"""Behaviour that every environment has, tested on each of this machine."""

from __future__ import annotations

import os
import resource
import signal
import sys
import threading
import time
import uuid
from pathlib import Path

import pytest

from tea_runner.core.errors import TeaError
from tea_runner.host import process
from tea_runner.sandbox.execution_environment import Limits

from .conftest import KINDS, Bench, alive, soon

#: A worker, as far as a command can tell: environment, folder for outputs, how long to sleep.
_WORKER = """
import sys
from pathlib import Path
from tea_runner.sandbox.bubblewrap import BubblewrapSandbox
from tea_runner.sandbox.unsandboxed import Unsandboxed
from tea_runner.sandbox.execution_environment import Execution

kind, out, seconds = sys.argv[1:]
Path(out).mkdir()
environment = {"host": BubblewrapSandbox, "off": Unsandboxed}[kind]()
environment.run(Execution(
    argv=("/bin/sh", "-c", f"sleep {seconds} & sleep {seconds}"), env={}, view=None, out=Path(out),
    log=lambda _: None, timeout=600,
))
"""


@pytest.mark.parametrize("code", [0, 1, 3, 42, 126, 127, 255])
def test_the_code_of_a_command_is_passed_on(bench: Bench, code: int) -> None:
    """The command's exit code is returned."""
    outcome = bench.shell(f"exit {code}")
    assert (code, None, False) == (outcome.code, outcome.signal, outcome.timed_out)


def test_a_command_that_is_not_there_ends_with_127(bench: Bench) -> None:
    """As in a shell, a missing program has code 127 and a message in the log."""
    outcome = bench.run("no-such-program")
    assert 127 == outcome.code
    assert "no-such-program" in bench.text


def test_a_signal_is_told_from_a_code(bench: Bench) -> None:
    """A command that a signal ends has the signal's number, and a shell's code."""
    # not by the first process of a container, which can do no such thing
    outcome = bench.shell("sh -c 'kill -SEGV $$'; exit $?")
    assert (139, signal.SIGSEGV) == (outcome.code, outcome.signal)


def test_stdin_is_what_was_given(bench: Bench) -> None:
    """The command reads exactly the given input, also through /dev/stdin."""
    bench.run("cat", stdin=b"one\ntwo\0\xff\n")
    assert b"one\ntwo\0\xff\n" == bytes(bench.said)


def test_without_stdin_there_is_nothing_to_wait_for(bench: Bench) -> None:
    """Without input, reading returns the end of file."""
    assert 0 == bench.run("cat", timeout=10).code


def test_a_terminal_is_the_commands_own(bench: Bench) -> None:
    """It reads from it and prints to it, and the terminal controls it: Ctrl-C reaches it."""
    ours, theirs = os.openpty()
    try:
        os.write(ours, b"typed\n")
        words = "[ -t 1 ] && [ -t 2 ] || exit 9; read line; echo $line > $OUT/.line"
        words += "; mv $OUT/.line $OUT/line; sleep 60"

        def interrupt() -> None:
            soon(lambda: (bench.out / "line").exists())
            os.write(ours, b"\x03")

        pressed = threading.Thread(target=interrupt)
        pressed.start()
        outcome = bench.shell(words, terminal=theirs, timeout=30)
        pressed.join()
    finally:
        os.close(theirs)
        os.close(ours)
    assert outcome.code not in (None, 0, 9)
    assert "typed\n" == (bench.out / "line").read_text()


def test_variables_are_exactly_those_given(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command gets none of the worker's variables."""
    monkeypatch.setenv("TEA_SECRET_OF_THE_WORKER", "canary")
    bench.run("env", env={"A": "b c", "QUOTE": "'\"$(id)\n-"})
    names = {line.split("=", 1)[0] for line in bench.text.splitlines() if "=" in line}
    names = {name for name in names if not name.startswith(("APPTAINER_", "SINGULARITY_"))}
    made = {"PATH", "PWD"}
    if bench.image:
        # an image has variables of its own
        made |= {
            "HOME",
            "HOSTNAME",
            "LANG",
            "LD_LIBRARY_PATH",
            "PROMPT_COMMAND",
            "PS1",
            "TERM",
            "USER_PATH",
            "container",
        }
    assert {"A", "QUOTE", "PFS", "OUT"} == names - made
    assert "A=b c\n" in bench.text
    assert "QUOTE='\"$(id)\n-\n" in bench.text
    assert "canary" not in bench.text


def test_inputs_can_be_read_and_not_written(walled: Bench) -> None:
    """An input is readable by all users and not writable."""
    outcome = walled.shell("cat $PFS/images/a.txt; echo x > $PFS/images/a.txt")
    assert outcome.code != 0
    assert "hello" in walled.text
    walled.shell("rm -rf $PFS/images; touch $PFS/images/b; touch $PFS/b; chmod 777 $PFS/images")
    assert ["a.txt"] == [path.name for path in (walled.view / "images").iterdir()]
    assert "hello" == (walled.view / "images" / "a.txt").read_text()


def test_outputs_arrive(bench: Bench) -> None:
    """Files written to the output directory are there afterwards."""
    outcome = bench.shell("mkdir $OUT/d && cp $PFS/images/a.txt $OUT/d/b.txt && chmod +x $OUT/d/*")
    assert 0 == outcome.code, bench.text
    assert "hello" == (bench.out / "d" / "b.txt").read_text()
    assert (bench.out / "d" / "b.txt").stat().st_mode & 0o100


def test_a_command_begins_in_its_code(bench: Bench) -> None:
    """The working directory is the dataset, whose programs can be started by relative path."""
    assert 0 == bench.run("./tool.sh", "x").code, bench.text
    assert "tool x" in bench.text


def test_a_working_directory_can_be_chosen(bench: Bench) -> None:
    """A relative working directory is below the dataset."""
    (bench.code / "deep").mkdir()
    bench.shell("pwd", cwd="deep")
    assert f"{bench.places.dataset}/deep" == bench.text.strip()


def test_code_can_be_written_only_when_it_is_said(walled: Bench) -> None:
    """The dataset is read-only unless the execution makes it writable."""
    walled.shell("echo x > new; echo x >> tool.sh")
    assert ["tool.sh"] == [path.name for path in walled.code.iterdir()]
    walled.shell("echo x > new && rm tool.sh", code_writable=True)
    assert ["new"] == [path.name for path in walled.code.iterdir()], walled.text


def test_outputs_can_be_placed_inside_the_code(walled: Bench) -> None:
    """The output directory may be inside the read-only dataset."""
    walled.shell("echo x > results/y; echo x > z", out_at="/dataset/results")
    assert ["y"] == [path.name for path in walled.out.iterdir()], walled.text
    assert not (walled.code / "z").exists()


def test_a_command_ends_at_its_time(bench: Bench) -> None:
    """A command that ignores signals is killed within a second of its timeout."""
    began = time.monotonic()
    outcome = bench.shell("trap '' TERM INT HUP; while :; do sleep 0.1; done", timeout=1)
    assert outcome.timed_out
    assert outcome.code is None
    assert 1 <= time.monotonic() - began < 3


def test_a_stopped_command_ends_at_its_time(bench: Bench) -> None:
    """A stopped command (SIGSTOP) is killed at its timeout."""
    assert bench.shell("sh -c 'kill -STOP $$'; exit 0", timeout=1).timed_out


def test_a_command_can_be_cancelled(bench: Bench) -> None:
    """A cancelled command is killed within half a second."""
    asked = threading.Event()
    timer = threading.Timer(0.3, asked.set)
    timer.start()
    outcome = bench.run("sleep", "60", cancelled=asked.is_set)
    timer.join()
    assert (True, False, None) == (outcome.cancelled, outcome.timed_out, outcome.code)
    assert outcome.seconds < 3


def test_a_daemon_is_gone_with_the_command(walled: Bench) -> None:
    """A daemon that left its session is killed at the end of the run; the exit code stays 0."""
    marker = f"6{uuid.uuid4().int % 10**8}"
    outcome = walled.shell(f"setsid sh -c 'sleep {marker} & sleep {marker}' & sleep 0.2; exit 0")
    assert 0 == outcome.code
    assert [] == alive(marker)


def test_a_child_in_the_group_is_gone_with_the_command(bench: Bench) -> None:
    """Background processes are killed, and their open output does not delay the end."""
    marker = f"6{uuid.uuid4().int % 10**8}"
    outcome = bench.shell(f"sleep {marker} & exit 0")
    assert 0 == outcome.code
    assert outcome.seconds < 5
    assert soon(lambda: [] == alive(marker))


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_command_dies_with_its_worker(tmp_path: Path, kind: str) -> None:
    """After SIGKILL of the worker no process of the command goes on."""
    missing = KINDS[kind]().environment.check()
    if missing:
        pytest.skip(f"engine absent: {missing}")
    marker = f"6{uuid.uuid4().int % 10**8}"
    worker = process.start_process(
        [sys.executable, "-c", _WORKER, kind, str(tmp_path / "out"), marker],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        assert soon(lambda: len(alive(f"sleep\0{marker}")) == 2, 30)
    finally:
        process.kill(worker)
    assert soon(lambda: [] == alive(marker), 10)


def test_output_comes_while_the_command_runs(bench: Bench) -> None:
    """Output is logged when it is printed, both streams in one."""
    seen: list[float] = []
    bench.shell("echo one; sleep 1; echo two >&2", log=lambda chunk: seen.append(time.monotonic()))
    assert seen[-1] - seen[0] > 0.5


def test_a_flood_of_output_costs_no_memory(bench: Bench) -> None:
    """Hundreds of megabytes of output take no memory."""
    count = 0

    def log(chunk: bytes) -> None:
        nonlocal count
        count += len(chunk)

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    outcome = bench.shell("head -c 300000000 /dev/zero", log=log)
    assert (0, 300_000_000) == (outcome.code, count)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # kB


def test_a_flood_does_not_hold_up_the_clock(bench: Bench) -> None:
    """A command that prints without end is killed at its timeout."""
    outcome = bench.run("yes", log=lambda chunk: None, timeout=1)
    assert outcome.timed_out
    assert outcome.seconds < 3


def test_what_the_log_raises_ends_the_command(bench: Bench) -> None:
    """An exception of the log function ends the command and is raised."""

    def log(chunk: bytes) -> None:
        raise TeaError("the log is full")

    marker = f"y{uuid.uuid4().hex}"
    with pytest.raises(TeaError, match="the log is full"):
        bench.run("yes", marker, log=log)
    assert soon(lambda: [] == alive(marker))


_BALLOON = "head -c 900000000 /dev/zero | tail -c 800000000 >/dev/null"


def test_a_memory_balloon_is_ended_and_named(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command that exceeds its memory limit is killed, and reported as such.

    Nothing is left in the worker's own directory, where conmon(8) would write a file "oom".
    """
    monkeypatch.chdir(tmp_path)
    outcome = bench.shell(_BALLOON, limits=Limits(memory=200_000_000), timeout=15)
    assert outcome.oom
    assert not outcome.timed_out
    assert [] == list(tmp_path.glob("oom"))


def test_a_fork_bomb_is_bounded(walled: Bench) -> None:
    """A fork bomb gets no more processes than its limit, and is killed at the end."""
    marker = f"6{uuid.uuid4().int % 10**8}"
    most = 0

    def cancelled() -> bool:
        nonlocal most
        most = max(most, len(alive(marker)))
        return False

    bomb = f"b() {{ sleep {marker} & b; }}; (b); (b); sleep {marker}"
    walled.shell(bomb, limits=Limits(processes=40), timeout=2, cancelled=cancelled)
    assert 10 < most <= 42
    assert [] == alive(marker)


def test_a_file_cannot_grow_past_its_limit(walled: Bench) -> None:
    """Writing a file beyond the size limit fails inside."""
    outcome = walled.shell(
        "head -c 3000000 /dev/zero > $OUT/big", limits=Limits(file_size=1_000_000)
    )
    assert outcome.code != 0
    assert 1_000_000 == (walled.out / "big").stat().st_size


def test_many_files_end_a_command_that_is_still_running(bench: Bench) -> None:
    """A command that writes too many files is killed while it runs."""
    fill = "i=0; while :; do : > $OUT/$i; i=$((i+1)); done"
    outcome = bench.shell(fill, limits=Limits(output_files=500), timeout=20)
    assert "more than the limit of 500 files" in outcome.overflow
    assert outcome.code is None


def test_large_outputs_end_a_command_that_is_still_running(bench: Bench) -> None:
    """A command whose outputs become too large, even if sparse, is killed while it runs."""
    outcome = bench.shell(
        "truncate -s 1T $OUT/x; sleep 20", limits=Limits(output_bytes=10**9), timeout=15
    )
    assert "larger than the limit" in outcome.overflow


def test_there_is_no_network(walled: Bench) -> None:
    """Without network permission there is only a loopback interface."""
    walled.shell("cat /proc/net/dev")
    names = [line.split(":")[0].strip() for line in walled.text.splitlines() if ":" in line]
    assert [] == [name for name in names if name not in ("lo", "sit0", "tunl0", "ip6tnl0")]


def test_scratch_is_private_and_gone(walled: Bench) -> None:
    """The next command does not see files that were written to /tmp."""
    walled.shell("echo x > /tmp/left")
    assert walled.shell("cat /tmp/left").code != 0


def test_two_runs_at_once_do_not_meet(bench: Bench) -> None:
    """Commands in several threads each have their own outcome."""
    codes: dict[int, int | None] = {}
    other = {n: Bench(bench.environment, bench.base, bench.image, bench.walls) for n in range(4)}

    def run(number: int) -> None:
        codes[number] = other[number].shell(f"sleep 0.2; exit {number}").code

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {0: 0, 1: 1, 2: 2, 3: 3} == codes
