"""gunicorn as it is shipped, with an application of a test's choice, on a free port of loopback."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import requests

from tea_runner.host import process
from tea_runner.settings import load_settings
from tea_runner.web.gunicorn_config import arguments
from tea_runner.web.gunicorn_server import START
from tests.web.deliveries import PATH, sign
from tests.web.receiver import Lines

_ROOT = Path(__file__).parents[2]


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Server:
    """A receiver that listens."""

    def __init__(self, port: int, state: Path) -> None:
        self.port = port
        self.state = state

    @property
    def asked(self) -> int:
        """How many plans were asked for."""
        return len(Lines(self.state / "asked").asked())

    @property
    def log(self) -> str:
        """What it said."""
        return (self.state / "log").read_text()

    def send(self, data: bytes, *, wait: float = 10) -> bytes:
        """Send these bytes and read until the other side closes or is silent."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=wait) as connection:
            connection.sendall(data)
            answer = b""
            while b"\r\n\r\n" not in answer:
                part = connection.recv(65536)
                if not part:
                    break
                answer += part
            return answer

    def post(self, body: bytes, headers: Mapping[str, str] | None = None) -> requests.Response:
        """Send a delivery of this body; a correct one unless the headers say otherwise."""
        right = {
            "Content-Type": "application/json",
            "X-Gitea-Event": "push",
            "X-Gitea-Signature": sign(body),
        }
        raw = {name: value.encode() for name, value in (headers or right).items()}
        return requests.post(
            f"http://127.0.0.1:{self.port}{PATH}", data=body, headers=raw, timeout=30
        )


@contextlib.contextmanager
def serving(
    state: Path, application: str, env: Mapping[str, str], *, cwd: Path = _ROOT
) -> Iterator[Server]:
    """gunicorn with the shipped arguments; its log is in the state folder."""
    port = _free_port()
    said = {"TEA_RUNNER_STATE": str(state), "TEA_RUNNER_WEB__PORT": str(port)}
    settings = load_settings(file=None, env=said, flags={})
    command = [sys.executable, *START, *arguments(settings, application)]
    log = (state / "log").open("wb")
    given = {
        "PATH": os.environ["PATH"],
        "HOME": str(state),
        "PYTHONPATH": str(_ROOT),
        **env,
    }
    running = process.start_process(command, env=given, cwd=cwd, stdout=log, stderr=log)
    server = Server(port, state)
    try:
        for _ in range(150):
            try:
                requests.get(f"http://127.0.0.1:{port}/healthz", timeout=2)
                break
            except requests.RequestException:
                time.sleep(0.1)
        else:
            pytest.fail(server.log)
        yield server
    finally:
        running.terminate()
        running.wait(25)
        process.kill(running)
        log.close()
