"""Bars on a terminal say how much time is left; where there is no terminal there are lines."""

from __future__ import annotations

from pathlib import Path

from tea_runner.broker.redis_server import RedisServer
from tests.cli.dataset import SHOUT, Dataset
from tests.looking import RUN, begin, broker, make_job, make_site, process_env, save
from tests.terminal import on_terminal

__all__ = ["broker"]

_SLOW = 'sleep 0.4; cp $PFS/in/* "$PFS/out"\n'


def test_run_says_how_much_time_is_left(tmp_path: Path) -> None:
    """By the speed so far."""
    files = {f"raw/{number}.txt": f"{number}\n" for number in range(3)}
    dataset = Dataset(
        tmp_path / "data", {**files, "shout/spec.yml": SHOUT, "shout/shout.sh": _SLOW}
    )
    code, shown = on_terminal(dataset.path, "run", "-y", "-j", "1")
    assert 0 == code, shown
    assert " left" in shown
    assert "3/3" in shown


def test_wait_shows_a_bar(broker: RedisServer, tmp_path: Path) -> None:
    """On a terminal; elsewhere one line for each change."""
    site = make_site(broker, tmp_path)
    site.redis.flushall()
    jobs = [make_job(1), make_job(2)]
    site.jobs.finish(begin(site, jobs[0]), "done")
    save(site, jobs)
    env = process_env(broker, tmp_path)
    code, shown = on_terminal(tmp_path, "wait", RUN, "--timeout", "1", env=env)
    assert 4 == code, shown
    assert "3/5" in shown
    site.redis.close()
