"""A watched process group is killed when its worker dies, and no other group is."""

from __future__ import annotations

import os
import select
import signal
import sys

from tea_runner.host import process
from tea_runner.sandbox.worker_death_watchdog import Watchdogs

#: Watches one sleeping process after the other, says their numbers, and dies over the last one.
_WORKER = """
import os, time
from tea_runner.host import process
from tea_runner.sandbox.worker_death_watchdog import Watchdogs
dogs = Watchdogs()
sleeping = [process.start_process(("/bin/sleep", "60"), env={}) for _ in range(3)]
for each in sleeping[:2]:
    with dogs.watch(each.pid):
        pass
print(*(each.pid for each in sleeping), flush=True)
with dogs.watch(sleeping[2].pid):
    os.kill(os.getpid(), 9)
"""


def test_only_the_group_in_hand_ends_with_the_worker() -> None:
    """Groups that are no longer watched are not killed: their ids may have been reused."""
    done = process.run([sys.executable, "-c", _WORKER], env=dict(os.environ), check=False)
    first, second, third = (int(word) for word in done.stdout.split())
    ends = [os.pidfd_open(pid) for pid in (first, second)]
    try:
        _gone(third)
        for pid in (first, second):
            os.kill(pid, 0)
    finally:
        for descriptor in ends:
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            os.close(descriptor)


def _gone(pid: int) -> None:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        ended, _, _ = select.select([descriptor], [], [], 20)
        assert [descriptor] == ended
    finally:
        os.close(descriptor)


def test_one_watchdog_serves_one_command_after_the_other() -> None:
    """A second command reuses the watchdog; two at the same time have one each."""
    dogs = Watchdogs()
    before = set(process.descendants(os.getpid()))
    sleeping = [process.start_process(("/bin/sleep", "60"), env={}) for _ in range(2)]
    try:
        for each in sleeping:
            with dogs.watch(each.pid):
                pass
        own = {each.pid for each in sleeping}
        assert 1 == len(set(process.descendants(os.getpid())) - before - own)
        with dogs.watch(sleeping[0].pid), dogs.watch(sleeping[1].pid):
            assert 2 == len(set(process.descendants(os.getpid())) - before - own)
        assert [None, None] == [each.poll() for each in sleeping]
    finally:
        for each in sleeping:
            process.kill(each)


def test_a_watchdog_that_was_killed_is_replaced() -> None:
    """The next command is watched by a new one."""
    dogs = Watchdogs()
    before = set(process.descendants(os.getpid()))
    with dogs.watch(1 << 30):
        (first,) = set(process.descendants(os.getpid())) - before
        os.kill(first, signal.SIGKILL)
        _gone(first)
    with dogs.watch(1 << 30):
        (second,) = set(process.descendants(os.getpid())) - before
    assert first != second
