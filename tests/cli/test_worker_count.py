"""``tea-runner worker`` starts as many workers as are asked for, and ends with all of them."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

import pytest

from tea_runner.broker.redis_server import RedisServer
from tea_runner.host import process
from tea_runner.wiring import Site
from tests.looking import broker, process_env, site

__all__ = ["broker", "site"]


@pytest.mark.long
@pytest.mark.parametrize(
    ("count", "words", "number"), [("2", (), 2), ("", (), 1), ("3", ("-j", "2"), 2)]
)
def test_workers_are_as_many_as_the_setting_or_the_option_says(
    broker: RedisServer, site: Site, tmp_path: Path, count: str, words: tuple[str, ...], number: int
) -> None:
    """Each has a row among the processes that run, and none is left."""
    env = process_env(broker, tmp_path)
    if count:
        env["TEA_RUNNER_WORKER__COUNT"] = count
    parent = process.start_process([sys.executable, "-m", "tea_runner", "worker", *words], env=env)
    try:
        end = time.monotonic() + 60
        while len(site.processes.all()) < number and time.monotonic() < end:
            time.sleep(0.2)
        assert number == len(site.processes.all())
        parent.send_signal(signal.SIGTERM)
        assert 0 == parent.wait(timeout=60)
        assert [] == site.processes.all()
    finally:
        process.kill(parent)
