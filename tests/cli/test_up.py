"""``tea-runner up`` says what happens from the first second."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path

import pytest
import requests

from tea_runner.cli import print_run_changes
from tea_runner.cli.local_stack import LocalStack
from tea_runner.cli.main import Context
from tea_runner.cli.print_run_changes import RunAnnouncer
from tea_runner.host import process
from tea_runner.wiring import Site
from tests.looking import COMMIT, REPOSITORY, RUN, make_job, save


def test_runs_are_told_when_they_begin_and_end(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once each; what was there before is not told."""
    monkeypatch.setattr(print_run_changes, "_PAUSE", 0.0)
    save(site, [], state="settled", commit="a" * 40, branch="other")
    lines: list[str] = []
    announcer = RunAnnouncer(site.runs, lines.append)
    announcer.look()
    assert [] == lines

    job = make_job()
    save(site, [job], title="Add \x1b[31mred")
    for _ in range(3):
        announcer.look()
    save(site, [job], state="settled", title="Add \x1b[31mred")
    for _ in range(3):
        announcer.look()

    begun, ended = lines
    assert f"{REPOSITORY} main {COMMIT[:10]}, run {RUN}" in begun
    assert "✓ done" in ended
    assert "1 done, 4 reused" in ended
    assert "\x1b" not in begun + ended


def test_the_first_line_comes_at_once_and_a_signal_ends_the_start(tmp_path: Path) -> None:
    """Before anything is there."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    flags = [
        "-c",
        f"state={tmp_path / 'state'}",
        "-c",
        f"web.port={port}",
        "-c",
        "sandbox.kind=off",
    ]
    env = {name: os.environ[name] for name in ("HOME", "PATH")} | {"PYTHONUNBUFFERED": "1"}
    up = process.start_process([sys.executable, "-m", "tea_runner", *flags, "up"], env=env)
    watch = threading.Timer(60, lambda: process.kill(up))
    watch.start()
    assert up.stdout is not None
    first = up.stdout.readline().decode()
    second = up.stdout.readline().decode()
    began = time.monotonic()
    os.kill(up.pid, signal.SIGINT)
    up.communicate(timeout=60)
    watch.cancel()

    assert first == f"starting in {tmp_path / 'state'} …\n"
    assert second.startswith("starting ")
    assert up.returncode in (0, 130)
    assert time.monotonic() - began < 50


@pytest.mark.long
def test_a_stack_on_an_address_of_version_6_answers(tmp_path: Path) -> None:
    """Receiver, pages and the embedded forge are reached at ``[::1]``."""
    with socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        port = probe.getsockname()[1]
    flags = {"state": str(tmp_path / "state"), "web.host": "::1", "web.port": str(port)}
    variables = {name: os.environ[name] for name in ("HOME", "PATH")}
    context = Context(
        directory=tmp_path,
        config=None,
        flags={**flags, "sandbox.kind": "off"},
        variables=variables,
    )
    with LocalStack(context, workers=1) as stack:
        assert stack.embedded is not None
        assert stack.web_url == f"http://[::1]:{port}"
        answers = [stack.web_url + "/readyz", stack.embedded.url + "/api/v1/version"]
        assert [200, 200] == [requests.get(url, timeout=10).status_code for url in answers]
