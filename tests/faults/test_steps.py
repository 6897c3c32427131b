"""Every fault at the beginning, middle and end of every step of worker and planner.

The list is complete, nothing is sampled: one process is armed with a fault, the server goes on with
people's pushes until it has happened, then the next one.  Each push must lead to the very commits of a
run without faults.
"""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from tests.faults.oracle import Lineage
from tests.faults.person import Person
from tests.faults.report import record
from tests.faults.world import GRACE, LATE, LEASE, World

#: Four workers and two planners meet the faults, the others carry on.  An armed worker's host has no
#: mirror but its own.
ROLES = {
    "planner-1": ("planner", "one"),
    "planner-2": ("planner", "one"),
    "planner-3": ("planner", "four"),
    "reconcile": ("reconcile", "one"),
    "worker-1": ("worker", "two"),
    "worker-2": ("worker", "three"),
    "worker-3": ("worker", "four"),
    "worker-4": ("worker", "five"),
    "worker-5": ("worker", "six"),
}
#: Steps that have a beginning, a middle and an end; and moments.
WORKER = ("fetch", "provision", "get", "run", "collect", "save", "store", "publish", "clean")
WORKER_MOMENTS = ("claim", "claim.end", "derive", "end", "end.end")
PLANNER = ("refresh", "advance", "settle", "discard", "remember", "status")
PLANNER_MOMENTS = ("plan", "plan.end")
ANYWHERE = ("kill", "term", "child")
#: Faults that only the thread itself can meet: not in the middle.
ITS_OWN = ("enospc", "outside", "raise")


def cells(steps: Sequence[str], moments: Sequence[str]) -> tuple[list[str], list[str]]:
    """``step:fault`` of the whole table; those that take long, because a process stands still, apart."""
    ends = [*moments, *steps, *(f"{step}.end" for step in steps)]
    everywhere = [*ends, *(f"{step}.middle" for step in steps)]
    only = os.environ.get("TEA_FAULTS_ONLY", "")
    short = [
        *(f"{place}:{kind}" for place, kind in itertools.product(everywhere, ANYWHERE)),
        *(f"{place}:{kind}" for place, kind in itertools.product(ends, ITS_OWN)),
    ]
    long = [f"{place}:stop" for place in everywhere]
    return [cell for cell in short if only in cell], [cell for cell in long if only in cell]


class Driver(threading.Thread):
    """Has one role meet one fault after the other."""

    def __init__(self, world: World, role: str, faults: Sequence[str]) -> None:
        super().__init__(name=f"driver {role}", daemon=True)
        self._world = world
        self.role = role
        self._role = world.roles[role]
        self._faults = list(faults)
        self.done: list[str] = []
        self.wrong: list[str] = []
        #: The longest time that a process took to end after SIGTERM.
        self.slowest = 0.0

    def run(self) -> None:
        """Arm, wait until it happened, go on."""
        for fault in self._faults:
            if not self._meet(fault):
                return
            self.done.append(fault)
        self._world.arm(self._role.name, "")

    def _meet(self, fault: str) -> bool:
        seen = len(self._role.said())
        took = self._world.arm(self._role.name, fault)
        self.slowest = max(self.slowest, took)
        if took > GRACE + LATE:
            self.wrong.append(f"{self._role.name} took {took:.1f} s to end before {fault}")
        where, _, kind = fault.partition(":")
        line = f"fail point {where}: {kind}"
        end = time.monotonic() + 60
        while line not in self._role.said()[seen:]:
            if time.monotonic() > end:
                self.wrong.append(f"{self._role.name} never came to {fault}")
                return False
            time.sleep(0.03)
        if kind == "stop":
            # A process that is thawed after others have taken its work over does no harm.
            threading.Timer(LEASE + 2, self._thaw, (self._role.pid,)).start()
            time.sleep(LEASE + 3)
        return True

    def _thaw(self, pid: int) -> None:
        if pid and pid == self._role.pid:
            os.kill(pid, signal.SIGCONT)


def test_every_step_and_every_fault(tmp_path: Path, lineages: list[Lineage]) -> None:
    """No push is lost, nothing is published twice, and no byte is another one."""
    worker, worker_stops = cells(WORKER, WORKER_MOMENTS)
    planner, planner_stops = cells(PLANNER, PLANNER_MOMENTS)
    wanted = {
        "worker-1": worker[::2],
        "worker-4": worker[1::2],
        "worker-3": worker_stops[::2],
        "worker-5": worker_stops[1::2],
        "planner-1": planner,
        "planner-3": planner_stops,
    }
    began = time.monotonic()
    with World(tmp_path / "world", ROLES) as world:
        # A job that has met several faults in a row waits for minutes before its next try.
        people = [Person(world, lineage, seed=1, patience=240) for lineage in lineages]
        for person in people:
            person.storm()
        drivers = [Driver(world, role, faults) for role, faults in wanted.items()]
        for thread in [*people, *drivers]:
            thread.start()
        for driver in drivers:
            driver.join()
        calm = time.monotonic()
        for person in people:
            person.calm()
            person.finish()
        for person in people:
            person.join()
        recovered = time.monotonic() - calm
    wrong = [text for seen in (p.seen for p in people) for text in seen.wrong]
    wrong += [text for driver in drivers for text in driver.wrong]
    record(
        "each step, fault and moment",
        faults=sum(len(driver.done) for driver in drivers),
        seen=[person.seen for person in people],
        seconds=time.monotonic() - began,
        recovered=recovered,
    )
    assert [] == wrong
    assert wanted == {driver.role: driver.done for driver in drivers}
