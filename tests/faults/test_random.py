"""Faults at random moments; a failing run prints its seed, and ``TEA_FAULTS_SEED`` repeats it."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.faults.killer import PROCESSES, REDIS, Killer
from tests.faults.oracle import Lineage
from tests.faults.person import Person
from tests.faults.report import record
from tests.faults.world import World

ROLES = {
    "planner-1": ("planner", "one"),
    "planner-2": ("planner", "two"),
    "reconcile": ("reconcile", "one"),
    "worker-1": ("worker", "one"),
    "worker-2": ("worker", "two"),
    "worker-3": ("worker", "two"),
}


def rage(
    root: Path, lineages: list[Lineage], kind: str, weights: Mapping[str, int], number: int
) -> None:
    """So many faults while people push; then everything must stand as without any."""
    seed = int(os.environ.get("TEA_FAULTS_SEED") or random.SystemRandom().randrange(10**6))
    number = int(os.environ.get("TEA_FAULTS_KILLS") or number)
    began = time.monotonic()
    with World(root, ROLES) as world:
        people = [Person(world, one, seed=seed, patience=90) for one in lineages]
        killer = Killer(world, seed=seed, number=number, weights=weights)
        for person in people:
            person.storm()
        for thread in [*people, killer]:
            thread.start()
        killer.join()
        calm = time.monotonic()
        for person in people:
            person.calm()
            person.finish()
        for person in people:
            person.join()
        recovered = time.monotonic() - calm
        left = [line for role in world.roles.values() for line in _bugs(role.said())]
        rooms = [str(path) for path in root.glob("*/scratch/*")]
    record(
        kind,
        faults=len(killer.done),
        seen=[person.seen for person in people],
        seconds=time.monotonic() - began,
        recovered=recovered,
    )
    wrong = [text for person in people for text in person.seen.wrong]
    assert ([], []) == (wrong, left), f"TEA_FAULTS_SEED={seed}, logs in {root / 'logs'}"
    assert len(rooms) <= len(ROLES), "scratch of the dead is left"


def _bugs(log: str) -> list[str]:
    return [line for line in log.splitlines() if "this is a bug of ours" in line]


def test_processes_killed_at_random(tmp_path: Path, lineages: list[Lineage]) -> None:
    """Whatever is killed, stopped or told to end, and when: each push leads to its own results."""
    rage(tmp_path / "world", lineages, "processes killed at random", PROCESSES, 200)


def test_redis_robbed_at_random(tmp_path: Path, lineages: list[Lineage]) -> None:
    """Killed, wiped, restored from an old copy, full or silent: Redis is only a queue."""
    weights = {**REDIS, "kill": 2, "child": 1}
    rage(tmp_path / "world", lineages, "Redis killed, wiped, old, full, silent", weights, 60)


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_thousands_of_faults(tmp_path: Path, lineages: list[Lineage]) -> None:
    """The same for long: processes and Redis, as many as ``TEA_FAULTS_LONG`` says."""
    number = int(os.environ.get("TEA_FAULTS_LONG") or 3000)
    rage(tmp_path / "world", lineages, "all of these, for long", {**PROCESSES, **REDIS}, number)
