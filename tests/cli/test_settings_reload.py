"""Processes read their settings and secrets again, at SIGHUP and when a file changes."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from tea_runner.broker.live_processes import ProcessFacts
from tea_runner.broker.redis_server import RedisServer
from tea_runner.broker.rq_consumer import QueueConsumer
from tea_runner.cli.installation_checks import check_settings_read
from tea_runner.host import process
from tea_runner.settings import load_settings
from tea_runner.wiring import Site
from tea_runner.wiring.settings_files import digest, settings_files
from tests.looking import broker, process_env, site

__all__ = ["broker", "site"]

VERBS = {"planner": "plan", "worker": "job", "reconcile": "reconcile"}
KEY = b"a key"


def _wait(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.2)


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """A settings file that names a file with a secret."""
    (tmp_path / "token").write_text("first")
    path = tmp_path / "tea-runner.toml"
    path.write_text(f'[forge]\ntoken_file = "{tmp_path}/token"\n')
    return path


@pytest.fixture
def run(
    broker: RedisServer, site: Site, settings: Path, tmp_path: Path
) -> Iterator[Callable[[str], process.Process]]:
    """Start a verb, and wait until it runs."""
    started: list[process.Process] = []

    def run(verb: str) -> process.Process:
        env = {**process_env(broker, tmp_path), "TEA_RUNNER_CONFIG": str(settings)}
        started.append(process.start_process([sys.executable, "-m", "tea_runner", verb], env=env))
        _wait(lambda: bool(site.processes.all()))
        return started[-1]

    yield run
    for each in started:
        process.kill(each)


def _row(site: Site) -> ProcessFacts:
    (row,) = site.processes.all() or [ProcessFacts(name="", kind="job")]
    return row


@pytest.mark.parametrize(
    "verb",
    ["worker", *(pytest.param(verb, marks=pytest.mark.long) for verb in ("planner", "reconcile"))],
)
def test_a_secret_that_changes_is_read_again(
    run: Callable[[str], process.Process], site: Site, tmp_path: Path, verb: str
) -> None:
    """By itself, in the same process; what it has read is in its row, as a keyed digest."""
    child, token = run(verb), str(tmp_path / "token")
    before = _row(site)
    (tmp_path / "token").write_text("second")
    _wait(lambda: _row(site).files.get(token, before.files[token]) != before.files[token])
    after = _row(site)
    assert (VERBS[verb], str(child.pid), str(child.pid)) == (after.kind, before.pid, after.pid)
    assert after.name != before.name
    assert "second" not in str(after)


def test_a_signal_has_the_settings_read_again(
    run: Callable[[str], process.Process], site: Site
) -> None:
    """At once; the process id stays."""
    child = run("planner")
    before = _row(site).name
    child.send_signal(signal.SIGHUP)
    _wait(lambda: _row(site).name not in ("", before))
    assert str(child.pid) == _row(site).pid
    child.send_signal(signal.SIGTERM)
    assert 0 == child.wait(timeout=60)


@pytest.mark.long
def test_settings_with_an_error_leave_the_former_ones_in_force(
    run: Callable[[str], process.Process], site: Site, settings: Path
) -> None:
    """The process goes on and says so, where pages and check show it."""
    child = run("planner")
    before, text = _row(site).name, settings.read_text()
    settings.write_text("nonsense = 1\n")
    _wait(lambda: bool(_row(site).problem))
    assert _row(site).problem.startswith("nonsense (from ")
    child.send_signal(signal.SIGHUP)
    settings.write_text(text + "# mended\n")
    _wait(lambda: _row(site).name not in ("", before))
    assert "" == _row(site).problem


def test_a_job_that_runs_has_its_time(site: Site) -> None:
    """The signal lets it end, and no further one begins."""
    done: list[str] = []

    def handle(job: str) -> None:
        os.kill(os.getpid(), signal.SIGHUP)
        time.sleep(0.1)
        done.append(job)

    for each in ("1", "2"):
        site.queues.enqueue("plan", each)
    consumer = QueueConsumer(site.redis, "plan", handle, name="x", reload=lambda: True)
    try:
        consumer.run()
    finally:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    assert (["1"], True) == (done, consumer.starts_anew)


def test_check_compares_with_what_processes_have_read(tmp_path: Path) -> None:
    """Of this host; files that nobody can read here are no finding."""
    token, other = tmp_path / "token", tmp_path / "other"
    for path in (token, other):
        path.write_text("first")
    rows = [
        ProcessFacts(name="a", kind="job", host="here", files={str(token): digest(token, KEY)}),
        ProcessFacts(name="b", kind="plan", host="here", files={str(other): digest(other, KEY)}),
        ProcessFacts(name="c", kind="plan", host="there", files={str(token): "0" * 16}),
        ProcessFacts(name="d", kind="plan", host="here", files={str(tmp_path / "no"): "0" * 16}),
    ]
    assert [] == check_settings_read(lambda: rows, KEY, "here")
    token.write_text("second")
    (finding,) = check_settings_read(lambda: rows, KEY, "here")
    assert ("a", True) == (finding.name, f"{token} has changed" in finding.text)


@pytest.mark.long
def test_the_receiver_reads_changed_settings(
    broker: RedisServer, settings: Path, tmp_path: Path
) -> None:
    """gunicorn replaces its processes; the port stays open."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    settings.write_text(settings.read_text() + '[web]\nhosts = ["old.example"]\n')
    env = {
        **process_env(broker, tmp_path),
        "TEA_RUNNER_CONFIG": str(settings),
        "TEA_RUNNER_WEB__PORT": str(port),
    }

    def answer(host: str) -> int:
        try:
            url = f"http://127.0.0.1:{port}/"
            return requests.get(url, headers={"Host": host}, timeout=10).status_code
        except requests.RequestException:
            return 0

    child = process.start_process([sys.executable, "-m", "tea_runner", "serve"], env=env)
    try:
        _wait(lambda: answer("old.example") != 0)
        assert (False, True) == (answer("old.example") == 421, answer("new.example") == 421)
        settings.write_text(settings.read_text().replace("old.example", "new.example"))
        _wait(lambda: answer("new.example") not in (0, 421))
        assert child.poll() is None
    finally:
        process.kill(child)


def test_files_that_commands_see_are_no_settings(tmp_path: Path, settings: Path) -> None:
    """One that changes all the time must not have processes start anew all the time."""
    (tmp_path / "log").write_text("line\n")
    settings.write_text(settings.read_text() + f'[sandbox]\nbinds = ["{tmp_path}/log"]\n')
    loaded = load_settings(file=settings, env={"HOME": str(tmp_path)}, flags={})
    assert [settings, tmp_path / "token"] == settings_files(loaded)
