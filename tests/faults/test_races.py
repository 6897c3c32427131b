"""A user pushes, rewinds and deletes a branch while results are published to it."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

from tea_runner.core.errors import CommandError
from tea_runner.host import process
from tests.e2e.pipelines import ATTRIBUTES
from tests.faults.person import Seen
from tests.faults.report import record
from tests.faults.test_processes import dataset, wait_for
from tests.faults.world import World

#: Two planners on hosts of their own: two settlers that race for one branch.
ROLES = {
    "planner-1": ("planner", "one"),
    "planner-2": ("planner", "two"),
    "reconcile": ("reconcile", "one"),
    "worker-1": ("worker", "one"),
    "worker-2": ("worker", "two"),
}
UP = 'for f in "$PFS"/in/*; do tr a-z A-Z < "$f" > "$PFS/out/${f##*/}"; done'


class Hasty:
    """Moves a branch as a push does: from the value that was seen, or not at all."""

    def __init__(self, world: World, name: str) -> None:
        self._env = {
            **world.env,
            "GIT_DIR": str(world.where(name)),
            "GIT_INDEX_FILE": str(world.root / "index"),
        }
        self.removed: set[str] = set()
        self.pushed: list[str] = []
        self.refused = 0

    def git(self, *arguments: str, stdin: bytes | None = None) -> str:
        """Run git in the forge's repository."""
        done = process.run(["git", *arguments], env=self._env, stdin=stdin)
        return bytes(done.stdout).decode().strip()

    @property
    def tip(self) -> str:
        """Of the branch; empty when it is deleted."""
        return self.git("for-each-ref", "--format=%(objectname)", "refs/heads/main")

    def commit(self, files: dict[str, str]) -> None:
        """One more commit, on top of whatever is there: again until it is taken."""
        while True:
            tip = self.tip
            self.git("read-tree", tip)
            for path, text in files.items():
                oid = self.git("hash-object", "-w", "--stdin", stdin=text.encode())
                self.git("update-index", "--add", "--cacheinfo", f"100644,{oid},{path}")
            made = self.git("commit-tree", self.git("write-tree"), "-p", tip, "-m", "change")
            if self._move(made, tip):
                self.pushed.append(made)
                return

    def rewind(self) -> None:
        """Take the latest own commit out, and what stands upon it."""
        tip, last = self.tip, self.pushed[-1]
        before = self.git("rev-parse", f"{last}^")
        if self._move(before, tip):
            gone = self.git("rev-list", tip, f"^{before}").split()
            self.removed |= set(gone)
            self.pushed.pop()

    def delete(self) -> str:
        """Delete the branch; returns where it was."""
        while True:
            tip = self.tip
            if self._move("", tip):
                return tip

    def back(self, tip: str) -> None:
        """Push the branch again, as it was."""
        self.git("update-ref", "refs/heads/main", tip, "")

    def _move(self, new: str, old: str) -> bool:
        try:
            if new:
                self.git("update-ref", "refs/heads/main", new, old)
            else:
                self.git("update-ref", "-d", "refs/heads/main", old)
        except CommandError:
            self.refused += 1
            return False
        return True

    def holds(self, commit: str) -> bool:
        """Whether the branch has the commit in its history."""
        return commit in self.git("rev-list", "main").split()

    def content(self, path: str) -> str:
        """A file at the tip, empty when there is none."""
        try:
            return self.git("show", f"main:{path}")
        except CommandError:
            return ""


def test_a_user_never_loses_a_commit_and_none_comes_back(tmp_path: Path) -> None:
    """Pushes, rewinds and deletions against two settlers: every commit is where its author left it."""
    seed = int(os.environ.get("TEA_FAULTS_SEED") or random.SystemRandom().randrange(10**6))
    chance = random.Random(seed)
    began = time.monotonic()
    rewinds = deletions = 0
    with World(tmp_path / "world", ROLES) as world:
        dataset(
            tmp_path / "lab",
            world,
            UP,
            attributes=ATTRIBUTES[".gitattributes"].replace("raw/**", "no"),
        )
        hasty = Hasty(world, "data")
        wait_for(lambda: hasty.content("up/a.txt") == "A")
        for number in range(120):
            time.sleep(chance.uniform(0, 0.5))
            what = chance.random()
            if what < 0.2 and hasty.pushed:
                hasty.rewind()
                rewinds += 1
            elif what < 0.25:
                before = hasty.delete()
                time.sleep(chance.uniform(0, 1.5))
                assert "" == hasty.tip, f"a deleted branch came back: TEA_FAULTS_SEED={seed}"
                hasty.back(before)
                deletions += 1
            else:
                hasty.commit({f"raw/{chance.choice('abc')}.txt": f"text {number}\n"})
            back = [commit for commit in hasty.removed if hasty.holds(commit)]
            assert [] == back, f"a removed commit came back: TEA_FAULTS_SEED={seed}"
        hasty.commit({"raw/a.txt": "the end\n"})
        ended = time.monotonic()
        wait_for(lambda: hasty.content("up/a.txt") == "THE END", 60)
        waited = time.monotonic() - ended
        time.sleep(3)
        assert [] == [commit for commit in hasty.pushed if not hasty.holds(commit)]
        assert [] == [commit for commit in hasty.removed if hasty.holds(commit)]
        for name in "abc":
            assert hasty.content(f"raw/{name}.txt").upper() == hasty.content(f"up/{name}.txt")
    seen = Seen(pushes=121, waited=[waited])
    record(
        "rewinds and deletions by users",
        faults=rewinds + deletions,
        seen=[seen],
        seconds=time.monotonic() - began,
        recovered=waited,
    )
