"""``tea-runner forge``: users are made, repositories served, and the end is quick and clean."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from pathlib import Path

import pytest
import requests
from click.testing import CliRunner

from tea_runner.cli.main import cli
from tea_runner.host import process
from tests.clone import Clone


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _user(root: Path, *words: str) -> str:
    made = CliRunner(env={"TEA_RUNNER_STATE": str(root)}).invoke(
        cli, ["forge", "user", "--root", str(root), "--password-file", "-", *words], input="pw\n"
    )
    assert made.exit_code == 0, made.output
    return made.output.strip()


@pytest.mark.long
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_it_is_told_to_stop(tmp_path: Path, how: signal.Signals) -> None:
    """Users made before are known; a push works; the process ends within seconds, code 0."""
    root, port = tmp_path / "forge", _free_port()
    assert _user(root, "ada") == "user ada was saved"
    token = _user(root, "bot", "--admin", "--token")
    env = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]}
    command = [sys.executable, "-m", "tea_runner", "forge", "serve", "--root", str(root)]
    running = process.start_process([*command, "--port", str(port)], env=env)
    try:
        url = f"http://127.0.0.1:{port}"
        until = time.monotonic() + 20
        while time.monotonic() < until:
            try:
                requests.get(f"{url}/healthz", timeout=1)
                break
            except requests.RequestException:
                time.sleep(0.05)
        mine = Clone(tmp_path / "clone", f"http://ada:pw@127.0.0.1:{port}/ada/edges.git")
        tip = mine.commit("a")
        mine.push()
        said = requests.get(
            f"{url}/api/v1/repos/ada/edges/branches",
            timeout=5,
            headers={"Authorization": f"token {token}"},
        ).json()
        assert said == [{"name": "main", "commit": {"id": tip}}]
        os.kill(running.pid, how)
        assert running.wait(10) == 0
    finally:
        process.kill(running)


def test_the_port_of_another_is_said_in_one_line(tmp_path: Path) -> None:
    """Without a traceback, with the next step."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        env = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]}
        command = [sys.executable, "-m", "tea_runner", "forge", "serve", "--root", str(tmp_path)]
        done = process.run([*command, "--port", port], env=env, check=False)
    assert done.returncode == 1
    said = done.stderr.decode()
    assert said.count("\n") == 1
    assert "choose another port" in said
