"""Schedules whose server is killed at every step: each tick is published once, and none is left out."""

from __future__ import annotations

import json
import os
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tea_runner.core.planning.tick_names import tick_time
from tea_runner.host import process
from tests.faults.test_steps import Driver
from tests.faults.world import World

ROLES = {
    "planner-1": ("planner", "one"),
    "reconcile": ("reconcile", "one"),
    "worker-1": ("worker", "two"),
}
#: Before and after each of these; ``push`` is that of the book of ticks, and of a job's results.
PLANNER = (
    "plan",
    "refresh",
    "advance",
    "push",
    "settle",
    "discard",
    "remember",
    "status",
    "plan.end",
)
WORKER = ("claim", "claim.end", "run", "publish", "publish.end", "end")
SECONDS = 3

SPEC = json.dumps(
    {
        "pipeline": {"name": "tock"},
        "input": {"cron": {"name": "tick", "spec": f"@every {SECONDS}s", "catch_up": "all"}},
        "transform": {"cmd": ["sh", "-c", 'cp "$tick" "$PFS/out/"']},
    }
)


def published(world: World) -> list[datetime]:
    """The ticks that results on the branch were made of."""
    listed = process.run(
        ["git", "-C", str(world.where("data")), "ls-tree", "-r", "--name-only", "main", "tock/"],
        env=dict(os.environ),
    )
    names = (line.rpartition("/")[2] for line in listed.stdout.decode().splitlines())
    return sorted(tick_time(name) for name in names if name.endswith("Z"))


@pytest.mark.long
def test_a_server_killed_at_each_step_publishes_each_tick_once(tmp_path: Path) -> None:
    """Also with Redis emptied between the steps."""
    ends = [name if "." in name else f"{name}{end}" for name in PLANNER for end in ("", ".end")]
    planner = [f"{name}:kill" for name in dict.fromkeys(ends) if name != "plan.end.end"]
    with World(tmp_path / "world", ROLES) as world:
        world.make("data")
        clone = tmp_path / "clone"
        env = dict(os.environ)
        for argv in (
            ["git", "init", "-q", "-b", "main", str(clone)],
            ["git", "-C", str(clone), "remote", "add", "origin", str(world.where("data"))],
        ):
            process.run(argv, env=env)
        (clone / "tock").mkdir()
        (clone / "tock/spec.yml").write_text(SPEC)
        for argv in (["add", "."], ["commit", "-qm", "begin"], ["push", "-q", "origin", "main"]):
            process.run(["git", "-C", str(clone), *argv], env=env)
        drivers = [
            Driver(world, "planner-1", planner),
            Driver(world, "worker-1", [f"{name}:kill" for name in WORKER]),
        ]
        for driver in drivers:
            driver.start()
        while any(driver.is_alive() for driver in drivers):
            time.sleep(7)
            world.redis.flushall()
        wrong = [text for driver in drivers for text in driver.wrong]
        count = len(published(world))
        deadline = time.monotonic() + 120
        while len(published(world)) < count + 2:
            assert time.monotonic() < deadline
            time.sleep(1)
        ticks = published(world)
    assert [] == wrong
    assert [ticks[0] + n * timedelta(seconds=SECONDS) for n in range(len(ticks))] == ticks
