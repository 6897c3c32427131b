"""A faulty forge: lost, repeated or refused requests and cut answers change no result."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from tests.faults.embedded import ROLES, EmbeddedWorld
from tests.faults.killer import PROCESSES, Killer
from tests.faults.oracle import Lineage
from tests.faults.person import Person
from tests.faults.report import record
from tests.faulty_forge import Fault, Faults, RandomFaults


def everybody(
    root: Path,
    pair: list[Lineage],
    forge_faults: Faults,
    kind: str,
    *,
    seed: int,
    faults: int = 0,
    patience: float = 120,
) -> list[str]:
    """Two people push everything once, with all deliveries announced; what is wrong with that."""
    began = time.monotonic()
    with EmbeddedWorld(root, forge_faults) as world:
        people = [Person(world, one, seed=seed, drop=0.0, patience=patience) for one in pair]
        killer = Killer(world, seed=seed, number=faults, weights=PROCESSES, pause=0.5)
        for thread in [*people, killer]:
            thread.start()
        killer.join()
        calm = time.monotonic()
        while not faults and any(p.generation < 2 and p.is_alive() for p in people):
            time.sleep(0.1)
        for person in people:
            person.finish()
        for person in people:
            person.join()
        recovered = time.monotonic() - calm
    seen = [person.seen for person in people]
    record(
        kind,
        faults=faults or getattr(forge_faults, "done", 0),
        seen=seen,
        seconds=time.monotonic() - began,
        # The faults of the forge never end: there is no last one to recover from.
        recovered=recovered if faults else None,
    )
    return [text for one in seen for text in one.wrong]


def a_seed() -> int:
    """The one that is to be tried again, or another one each time."""
    return int(os.environ.get("TEA_FAULTS_SEED") or random.SystemRandom().randrange(10**6))


class Counting(RandomFaults):
    """Random faults that are counted."""

    done = 0

    def response(self, method: str, path: str) -> Fault | None:
        """As ever, counted."""
        fault = super().response(method, path)
        self.done += fault is not None
        return fault


class CutPushes(Faults):
    """Every second push is carried out, but its answer never arrives whole."""

    def __init__(self) -> None:
        self.done = 0
        self._count = 0

    def response(self, method: str, path: str) -> Fault | None:
        """Cut after a few bytes of the report."""
        if method == "POST" and path.endswith("git-receive-pack"):
            self._count += 1
            if self._count % 2:
                self.done += 1
                return Fault(keep=5)
        return None


def test_lost_late_and_repeated_deliveries(tmp_path: Path, pair: list[Lineage]) -> None:
    """Deliveries are hints: a third is lost, a third comes twice, all are late and shuffled."""
    seed = a_seed()
    forge_faults = Counting(seed, drop=0.3, repeat=0.3, delay=2.0)
    wrong = everybody(tmp_path, pair, forge_faults, "deliveries lost, late, twice", seed=seed)
    assert [] == wrong, f"TEA_FAULTS_SEED={seed}"


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_refused_and_cut_answers(tmp_path: Path, pair: list[Lineage]) -> None:
    """One request in ten is answered 503 or cut off, also that of statuses: all is said in the end."""
    seed = a_seed()
    forge_faults = Counting(seed, fail=0.05, cut=0.05)
    # A job that has met six of them in a row waits for a minute before its next try.
    wrong = everybody(
        tmp_path, pair, forge_faults, "answers refused and cut", seed=seed, patience=400
    )
    assert [] == wrong, f"TEA_FAULTS_SEED={seed}"


def test_pushes_whose_answer_is_cut_off(tmp_path: Path, pair: list[Lineage]) -> None:
    """The forge has acted, we were not told: nothing is published twice, nothing counts as failed."""
    wrong = everybody(tmp_path, pair, CutPushes(), "answers to pushes cut off", seed=1)
    assert [] == wrong


def test_everything_at_once(tmp_path: Path, pair: list[Lineage]) -> None:
    """Faults of the forge, and the server's processes die meanwhile, the receiver too."""
    seed = a_seed()
    forge_faults = RandomFaults(seed, drop=0.3, repeat=0.2, delay=1.0, fail=0.03, cut=0.03)
    assert "receiver" in ROLES
    wrong = everybody(
        tmp_path, pair, forge_faults, "a bad forge, and processes killed", seed=seed, faults=40
    )
    assert [] == wrong, f"TEA_FAULTS_SEED={seed}"
