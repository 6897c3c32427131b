"""The page of what one names: its address, and a browser unless that is not wanted."""

from __future__ import annotations

from pathlib import Path

import pytest

from tea_runner.broker.redis_server import RedisServer
from tests.cli.dataset import tea
from tests.looking import COMMIT, RUN, broker, make_job, make_site, process_env, save

__all__ = ["broker"]

_URL = ("-c", "web.url=https://runner.example.org/tea")


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ((), "/"),
        (("lab/data",), "/repos/lab/data"),
        (("0123456789ab",), "/runs/0123456789ab"),
        (("0" * 32,), f"/jobs/{'0' * 32}"),
    ],
)
def test_an_address_needs_no_server(tmp_path: Path, name: tuple[str, ...], path: str) -> None:
    """Of whole ids and repositories."""
    said = tea(tmp_path, *_URL, "open", "--print", *name)

    assert (0, f"https://runner.example.org/tea{path}\n") == (said.code, said.out)


def test_a_commit_is_found_and_a_browser_is_started(broker: RedisServer, tmp_path: Path) -> None:
    """The browser is the one that the person has set."""
    site = make_site(broker, tmp_path)
    site.redis.flushall()
    save(site, [make_job(1)])
    programs = tmp_path / "bin"
    programs.mkdir()
    browser = programs / "xdg-open"
    browser.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened\n')
    browser.chmod(0o755)
    env = process_env(broker, tmp_path)
    env["PATH"] = f"{programs}:{env['PATH']}"
    said = tea(tmp_path, *_URL, "open", COMMIT[:10], env=env)

    expected = f"https://runner.example.org/tea/runs/{RUN}\n"
    assert (0, expected) == (said.code, said.out)
    assert expected == (tmp_path / "opened").read_text()
    site.redis.close()
