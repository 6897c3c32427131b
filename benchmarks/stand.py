"""A folder in, a whole installation out: forge, storage, queue, and planner and workers that stay warm.

The parts are those of ``tests/e2e/lab.py``; here planner and workers are processes of their own, as
``tea-runner up`` starts them, so that two cores do what two cores can.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tea_runner.broker import redis_keys
from tea_runner.host import process
from tests.e2e.lab import Lab


class Stand(Lab):
    """A lab whose planner and workers run beside it."""

    def __init__(self, root: Path, *, sandbox: str = "off", workers: int = 2) -> None:
        root.mkdir(parents=True)
        self.bare = root / "forge" / "lab" / "data.git"
        env = dict(os.environ)
        process.run(["git", "init", "-q", "--bare", "-b", "main", str(self.bare)], env=env)
        for name, value in (("uploadpack.allowFilter", "true"), ("gc.auto", "0")):
            process.run(["git", "-C", str(self.bare), "config", name, value], env=env)
        super().__init__(
            root,
            forge={"kind": "folder", "url": str(root / "forge")},
            push_url=self.bare.as_uri(),
            sandbox=sandbox,
        )
        config = {"init.defaultBranch": "main", "user.name": "A", "user.email": "a@example.org"}
        self.env["GIT_CONFIG_COUNT"] = str(len(config))
        for number, (name, value) in enumerate(config.items()):
            self.env[f"GIT_CONFIG_KEY_{number}"] = name
            self.env[f"GIT_CONFIG_VALUE_{number}"] = value
        self._number = workers
        self._children: list[process.Process] = []

    def start(self) -> None:
        """Start planner and workers."""
        config = self.site().settings.state / "tea-runner.toml"
        for verb in ["planner", *["worker"] * self._number]:
            log = (self.root / f"{verb}-{len(self._children)}.log").open("wb")
            argv = [sys.executable, "-m", "tea_runner", "--config", str(config), verb]
            self._children.append(
                process.start_process(argv, env=self.env, cwd=self.root, stdout=log, stderr=log)
            )

    @property
    def pids(self) -> Sequence[int]:
        """Process ids: the planner first."""
        return [child.pid for child in self._children]

    def head(self, branch: str = "main") -> str:
        """The forge's tip, read from its file."""
        try:
            return (self.bare / "refs" / "heads" / branch).read_text().strip()
        except FileNotFoundError:
            return ""

    def push_now(self) -> str:
        """What a person's ``git push`` and the receiver do."""
        self.git("push", "-q", "--force", "origin", "main")
        self.site().plan_requests.request_plan(self.name, "refs/heads/main", why="bench")
        return self.git("rev-parse", "HEAD").strip()

    def results(self, commit: str, *, patience: float = 120) -> float:
        """Wait until the forge's branch has moved on from *commit*; when that was seen."""
        return self._until(lambda: self.head() not in ("", commit), patience, "results")

    def planned(self, commit: str, *, patience: float = 600) -> float:
        """Wait until *commit* was planned to its end; when that was seen."""
        busy = redis_keys.plan_lock(redis_keys.branch_id(self.name, "main"))
        plans = self.site().plan_requests
        redis = self.site().redis
        return self._until(
            lambda: plans.planned(self.name, "main") == commit and not redis.exists(busy),
            patience,
            "a plan",
        )

    def _until(self, true: object, patience: float, what: str) -> float:
        assert callable(true)
        end = time.perf_counter() + patience
        while not true():
            if time.perf_counter() > end:
                logs = "\n".join(p.read_text()[-2000:] for p in self.root.glob("*.log"))
                raise RuntimeError(f"no {what} within {patience} s\n{logs}")
            time.sleep(0.001)
        return time.perf_counter()

    def close(self) -> None:
        """End everything."""
        for child in self._children:
            process.kill(child)
        super().close()
