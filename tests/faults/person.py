"""A user who pushes, waits for the results and pushes again, and records everything that is wrong."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass, field

from tea_runner.host import process
from tests.faults.oracle import Lineage, Step, give
from tests.faults.world import World


@dataclass
class Seen:
    """What one person saw."""

    pushes: int = 0
    #: Seconds from push to settled, of each push.
    waited: list[float] = field(default_factory=list)
    #: Sentences about what should not be.
    wrong: list[str] = field(default_factory=list)


class Person(threading.Thread):
    """Repeats a lineage, in one fresh repository after the other, until told to stop."""

    def __init__(
        self, world: World, lineage: Lineage, *, seed: int, drop: float = 0.3, patience: float = 90
    ) -> None:
        """*drop* is the chance that a delivery is lost, so that the reconciler must find the push."""
        super().__init__(name=f"person {lineage.name}", daemon=True)
        self._world = world
        self._lineage = lineage
        self._random = random.Random(f"{seed} {lineage.name}")
        self._drop = drop
        self._patience = patience
        self._enough = threading.Event()
        #: Since when nothing is done to the server any more; while it is, people are patient.
        self._calm = time.monotonic()
        self.seen = Seen()
        self.generation = 0

    def storm(self) -> None:
        """The server has a hard time until :meth:`calm`."""
        self._calm = time.monotonic() + 86_400

    def calm(self) -> None:
        """From now on the server has only its patience to recover."""
        self._calm = time.monotonic()

    def finish(self) -> None:
        """End after the push in hand."""
        self._enough.set()

    def run(self) -> None:
        """Push all steps, check the repository, take the next one."""
        while not self._enough.is_set() and not self.seen.wrong:
            self.generation += 1
            name = f"{self._lineage.name}-{self.generation}"
            give(self._lineage, self._world.store)
            self._world.make(name)
            done: list[Step] = []
            for step in self._lineage.steps:
                if self._enough.is_set():
                    break
                if not self._push(name, step, done[-1] if done else None):
                    return
                done.append(step)
            self._check(name, done)
            self._world.retire(name)

    def _push(self, name: str, step: Step, before: Step | None) -> bool:
        """Push one commit, plainly, as people do; then wait until the server is done with it."""
        refs = [f"{step.pushed}:refs/heads/main"]
        if before is None:
            refs.append(f"{self._lineage.annex}:refs/heads/git-annex")
        done = process.run(
            [
                "git",
                f"--git-dir={self._lineage.git}",
                "push",
                "-q",
                self._world.where(name).as_uri(),
                *refs,
            ],
            env=self._world.env,
            check=False,
        )
        if done.returncode:
            self._complain(name, f"a push was refused: {done.stderr.decode()}")
            return False
        self.seen.pushes += 1
        began = time.monotonic()
        if self._random.random() >= self._drop:
            self._world.announce(name, before.settled if before else "0" * 40, step.pushed)
        while (tip := self._world.tip(name)) != step.settled:
            if tip not in step.tips:
                self._complain(name, f"{tip} is no tip between {step.pushed} and {step.settled}")
                return False
            if time.monotonic() - max(began, self._calm) > self._patience:
                self._complain(
                    name,
                    f"{step.pushed} led to {tip} only, not to {step.settled}; now {int(time.time())}, "
                    f"{self._world.standing(name)}",
                )
                return False
            time.sleep(0.05)
        self.seen.waited.append(time.monotonic() - began)
        return True

    def _check(self, name: str, done: list[Step]) -> None:
        """Nothing was added after the end, nothing is left unsaid, nothing named is missing."""
        if not done:
            return
        time.sleep(self._random.uniform(0.0, 2.0))
        tip = self._world.tip(name)
        if tip != done[-1].settled:
            self._complain(name, f"{tip} was put upon {done[-1].settled}")
        process.run(
            ["git", "fsck", "--strict", "--no-dangling"],
            env=self._world.env,
            cwd=self._world.where(name),
        )
        whole = len(done) == len(self._lineage.steps)
        missing = [p for p in self._lineage.made if not self._is_whole(p)] if whole else []
        if missing:
            self._complain(name, f"storage lacks {missing[0]}")
        end = time.monotonic() + self._patience
        while unsaid := self._world.unsaid(name, done[-1].pushed):
            if time.monotonic() > end:
                self._complain(name, f"the forge was never told: {unsaid}")
                return
            time.sleep(0.2)

    def _is_whole(self, path: str) -> bool:
        ours, right = self._world.store / path, self._lineage.store / path
        return ours.exists() and ours.read_bytes() == right.read_bytes()

    def _complain(self, name: str, sentence: str) -> None:
        self.seen.wrong.append(f"{name}: {sentence}")
