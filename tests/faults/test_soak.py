"""A server that runs for long: nothing grows and nothing is left behind, even if Redis loses data."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.faults.oracle import Lineage
from tests.faults.person import Person
from tests.faults.report import record
from tests.faults.world import World

ROLES = {
    "planner": ("planner", "one"),
    "reconcile": ("reconcile", "one"),
    "worker-1": ("worker", "one"),
    "worker-2": ("worker", "two"),
}


def memory(pid: int) -> int:
    """Resident memory in KiB."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0])


def descriptors(pid: int) -> int:
    """How many are open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def zombies(pid: int) -> int:
    """Children that ended and were never looked after."""
    found = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            path = Path(f"/proc/{child}/stat")
            found += path.exists() and path.read_text().rsplit(")", 1)[1].split()[0] == "Z"
    return found


#: Seconds between two readings, and how many of them are looked at together: what is open or in use
#: differs from moment to moment, as one repository is closed before the next is opened.
PAUSE, TOGETHER = 2.0, 30


@dataclass
class Readings:
    """What the processes of a world had in use, time after time."""

    world: World
    taken: list[dict[str, tuple[int, int]]] = field(default_factory=list)

    def wait(self, seconds: float) -> None:
        """Take readings for so long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(PAUSE)
            pids = {name: role.pid for name, role in self.world.roles.items()}
            self.taken.append({n: (memory(pid), descriptors(pid)) for n, pid in pids.items()})

    def most(self, role: str, begin: int) -> tuple[int, int]:
        """The most memory, and the most descriptors, of some readings in a row from this one."""
        some = [each[role] for each in self.taken[begin:][:TOGETHER]]
        return max(memory for memory, _ in some), max(number for _, number in some)


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_nothing_grows(tmp_path: Path, lineages: list[Lineage]) -> None:
    """Once all is warm, memory by less than a tenth, descriptors by none, scratch and zombies none."""
    seconds = 60 * float(os.environ.get("TEA_FAULTS_MINUTES") or 10)
    wiped = 0
    with World(tmp_path / "world", ROLES) as world:
        people = [Person(world, one, seed=1, patience=120) for one in lineages]
        for person in people:
            person.start()
        began = calm = time.monotonic()
        pids: dict[str, int] = {}
        readings = Readings(world)
        first = 0
        while time.monotonic() - began < seconds and any(p.is_alive() for p in people):
            readings.wait(20)
            world.redis.flushall()
            wiped += 1
            calm = time.monotonic()
            # Planners keep 48 repositories open: until then there is something new in each.
            warm = sum(person.generation for person in people) > 120
            if not pids and warm and time.monotonic() - began > seconds / 5:
                pids = {name: role.pid for name, role in world.roles.items()}
                first = len(readings.taken)
        for person in people:
            person.finish()
        for person in people:
            person.join()
        recovered = time.monotonic() - calm
        assert pids, "it was too short for anything to be warm"
        assert pids == {name: role.pid for name, role in world.roles.items()}
        last = len(readings.taken) - TOGETHER
        assert last >= first + TOGETHER
        time.sleep(2)
        grown = {}
        for name, pid in pids.items():
            (before, opened), (after, open_now) = (readings.most(name, n) for n in (first, last))
            grown[name] = (after / before, open_now - opened, zombies(pid))
        left = [path.name for path in world.root.glob("*/scratch/*/job-*")]
    seen = [person.seen for person in people]
    record("Redis wiped every 20 s", faults=wiped, seen=seen, seconds=seconds, recovered=recovered)
    assert [] == [text for one in seen for text in one.wrong]
    assert [] == left
    assert {} == {n: g for n, g in grown.items() if g[0] > 1.1 or g[1] > 4 or g[2]}, grown
