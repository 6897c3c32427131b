"""Long-lived processes that answer requests, and those that do not answer in time."""

from __future__ import annotations

import time

import pytest

from tea_runner.core.errors import CommandError
from tea_runner.host import process

ENV = {"PATH": "/usr/bin:/bin"}


def dialog(program: str) -> process.BatchProcess:
    """A shell that executes a program."""
    return process.BatchProcess(["/bin/sh", "-c", program], env=ENV)


def test_answers_are_told_apart_however_they_come() -> None:
    """Several records in one read, one in two reads, an empty one, and one from the buffer."""
    with_end = dialog(r"read -r x; printf 'one\n\ntwo\nth'; sleep 0.1; printf 'ree\nfour\n'; cat")
    try:
        with_end.send(b"go\n")
        assert [b"one", b"", b"two", b"three", b"four"] == [with_end.receive() for _ in range(5)]
        with_end.send(b"a\0b\n\0")
        assert [b"a", b"b\n"] == [with_end.receive(b"\0", timeout=60) for _ in range(2)]
    finally:
        with_end.close()


def test_one_that_does_not_answer_in_time_is_killed() -> None:
    """The timeout is for the whole record, also when bytes keep coming."""
    slow = dialog("while :; do printf x; sleep 0.05; done")
    began = time.monotonic()
    with pytest.raises(CommandError, match=r"did not answer within 0\.3 s"):
        slow.receive(timeout=0.3)
    assert 0.3 <= time.monotonic() - began < 20
    slow.process.wait(timeout=20)
    slow.close()


def test_waiting_ends_with_the_process_or_with_the_time() -> None:
    """The wait ends with the process or the timeout, and the exit code stays available."""
    short = process.start_process(["/bin/sh", "-c", "exit 3"], env=ENV)
    assert (3, 3) == (short.wait(timeout=60), short.wait(timeout=60))
    process.kill(short)
    long = process.start_process(["/bin/sleep", "60"], env=ENV)
    began = time.monotonic()
    with pytest.raises(process.Timeout):
        long.wait(timeout=0.2)
    assert 0.2 <= time.monotonic() - began < 20
    process.kill(long)
    assert -9 == long.returncode


def test_one_that_ends_early_is_said() -> None:
    """An incomplete record is an error."""
    short = dialog("printf 'whole\nhalf'")
    assert b"whole" == short.receive(timeout=60)
    with pytest.raises(CommandError, match="it ended early"):
        short.receive(timeout=60)
    short.close()
