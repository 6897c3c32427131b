"""The receiver under gunicorn, as it is shipped: raw bytes on a socket in, status lines out."""

from __future__ import annotations

import os
import select
import socket
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tea_runner.adapters import process
from tea_runner.adapters.hooks import HookStore
from tea_runner.core.hook import Hook
from tea_runner.settings import load_settings
from tea_runner.web.gunicorn_config import arguments
from tests.hostile.requests import NUMBER, ROWS, SECRET, push, sign
from tests.web.receiver import Lines

ROOT = Path(__file__).parents[2]
PATH = "/hooks/gitea/" + "a" * 24


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

    def post(self, body: bytes) -> requests.Response:
        """Send a correct delivery of this body."""
        headers = {
            "Content-Type": "application/json",
            "X-Gitea-Event": "push",
            "X-Gitea-Signature": sign(body),
        }
        return requests.post(f"http://127.0.0.1:{self.port}{PATH}", data=body, headers=headers,
                             timeout=30)  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Two processes of gunicorn with the flags that we ship."""
    state = tmp_path_factory.mktemp("receiver")
    hook = Hook(id="a" * 24, forge="gitea", repository="lab/edges", repository_id=NUMBER,
                secrets=(SECRET,))  # fmt: skip
    HookStore(state / "hooks").keep(hook)
    port = _free_port()
    env = {"TEA_RUNNER_STATE": str(state), "TEA_RUNNER_WEB__PORT": str(port)}
    settings = load_settings(file=None, env=env, flags={})
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        *arguments(settings, "tests.web.receiver:application()"),
    ]
    log = (state / "log").open("wb")
    running = process.start(
        command,
        env={"PATH": os.environ["PATH"], "HOME": str(state), "TEST_STATE": str(state)},
        cwd=ROOT,
        stdout=log,
        stderr=log,
    )
    try:
        for _ in range(150):
            try:
                requests.get(f"http://127.0.0.1:{port}/healthz", timeout=2)
                break
            except requests.RequestException:
                time.sleep(0.1)
        else:
            pytest.fail((state / "log").read_text())
        yield Server(port, state)
    finally:
        running.terminate()
        running.wait(25)
        process.kill(running)
        log.close()


def head(*lines: str, path: str = PATH, method: str = "POST") -> bytes:
    """A request's head with the headers of a correct delivery and these lines."""
    fixed = [
        f"{method} {path} HTTP/1.1",
        "Host: x",
        "Content-Type: application/json",
        "X-Gitea-Event: push",
        f"X-Gitea-Signature: {sign(push())}",
    ]
    return "\r\n".join([*fixed, *lines, "", ""]).encode("latin-1")


SIZE = len(push())
TRANSPORT = [
    ("12 chunked", head("Transfer-Encoding: chunked") + b"0\r\n\r\n", 411),
    ("12 no length", head(), 411),
    ("14 length and chunked", head("Content-Length: 5", "Transfer-Encoding: chunked"), 400),
    ("14 two lengths", head(f"Content-Length: {SIZE}", "Content-Length: 5") + push(), 400),
    ("14 negative length", head("Content-Length: -1") + push(), 400),
    ("14 length with a plus", head("Content-Length: +5") + push(), 400),
    ("14 length no number", head("Content-Length: 0x5") + push(), 400),
    ("too long", head(f"Content-Length: {41 << 20}"), 413),
    ("far too long", head("Content-Length: 99999999999999999999"), 400),
    ("20 empty body", head("Content-Length: 0"), 401),
    ("two signatures", head("X-Gitea-Signature: x", f"Content-Length: {SIZE}") + push(), 401),
    ("2 two slashes", head(f"Content-Length: {SIZE}", path="/" + PATH) + push(), 404),
    ("2 climbing", head(f"Content-Length: {SIZE}", path="/hooks/../admin") + push(), 404),
    ("1 get", head(method="GET"), 405),
    ("1 head", head(method="HEAD"), 405),
]  # fmt: skip


@pytest.mark.parametrize(("data", "status"), [row[1:] for row in TRANSPORT],
                         ids=[row[0] for row in TRANSPORT])  # fmt: skip
def test_every_listed_request_gets_its_status(server: Server, data: bytes, status: int) -> None:
    """Rows 1 to 16 on the wire, and no plan is asked for."""
    before = server.asked
    line = server.send(data).split(b"\r\n", 1)[0].decode()
    assert str(status) == line.split(" ")[1]
    assert before == server.asked


def test_many_and_long_headers_are_refused(server: Server) -> None:
    """Limits of gunicorn that no delivery reaches."""
    many = head(*(f"X-{i}: 1" for i in range(60)), f"Content-Length: {SIZE}")
    long = head("X-Long: " + "x" * 5000, f"Content-Length: {SIZE}")
    line = head(path="/" + "x" * 3000)
    for data in (many, long, line):
        status = server.send(data).split(b" ")[1]
        assert status in (b"400", b"414", b"431")


def test_a_large_legal_push_passes(server: Server) -> None:
    """Thirty megabytes of file names are read, judged and answered within the forge's patience."""
    before = server.asked
    body = push(commits=[{"added": ["x" * 100] * 1000}] * 300)
    assert len(body) > 30_000_000
    started = time.monotonic()
    assert server.post(body).status_code == 202
    assert time.monotonic() - started < 5
    assert before + 1 == server.asked


def test_a_slow_body_holds_up_nobody_and_is_ended(server: Server) -> None:
    """Row 13: of ten promised bytes two come; others are served meanwhile; the end is 408."""
    with ThreadPoolExecutor(4) as pool:
        slow = [pool.submit(server.send, head("Content-Length: 10") + b"{}") for _ in range(4)]
        started = time.monotonic()
        assert server.post(push()).status_code == 202
        assert time.monotonic() - started < 2
        for each in slow:
            assert each.result().split(b" ")[1] == b"408"
    assert 4 < time.monotonic() - started < 9


def _slow(server: Server, data: bytes, number: int) -> list[socket.socket]:
    """So many clients that begin like this, and wait."""
    made = []
    for _ in range(number):
        client = socket.create_connection(("127.0.0.1", server.port), timeout=30)
        client.sendall(data)
        made.append(client)
    return made


def test_two_hundred_slow_clients_hold_up_nobody(server: Server) -> None:
    """Far more than there are threads: a delivery is accepted meanwhile, and then they are ended."""
    begun = (
        b"", b"POST / HTTP/1.1\r\nHost: x\r\n", head("Content-Length: 60000") + b"{",
        head("Content-Length: 60000", path="/") + b"{",
    )  # fmt: skip
    slow = [client for data in begun for client in _slow(server, data, 50)]
    try:
        assert server.post(push()).status_code == 202
        waiting, _, _ = select.select(slow, [], [], 0)
        assert [] == waiting, "they were still waiting when it was accepted"
        answers = [client.recv(1000).split(b" ", 2)[1:2] for client in slow]
        assert [[]] * 50 + [[b"408"]] * 150 == answers
    finally:
        for client in slow:
            client.close()


def test_clients_that_do_not_hang_up_hold_up_nobody(server: Server) -> None:
    """They have their answer and leave the connection open, or send on: others are answered at once."""
    done = _slow(server, head("Content-Length: 60000", "Transfer-Encoding: chunked"), 100)
    done += _slow(server, head(f"Content-Length: {30 << 20}", path="/hooks/gitea/" + "b" * 24), 100)
    try:
        assert server.post(push()).status_code == 202
        for client in done:
            answer = b"".join(iter(lambda client=client: client.recv(1000), b""))
            assert answer.split(b" ")[1] in (b"400", b"404")
    finally:
        for client in done:
            client.close()


def test_large_bodies_that_are_slow_leave_threads_for_others(server: Server) -> None:
    """Who knows a hook's address can hold some threads for some seconds, and no more of them."""
    slow = _slow(server, head(f"Content-Length: {30 << 20}") + b"{", 40)
    try:
        assert server.post(push()).status_code == 202
        words = {client.recv(1000).split(b" ")[1] for client in slow}
        assert words == {b"408", b"503"}
    finally:
        for client in slow:
            client.close()


def test_several_requests_on_one_connection_are_answered_in_turn(server: Server) -> None:
    """Sent at once, in pieces, with and without bodies."""
    delivery = head(f"Content-Length: {SIZE}") + push()
    data = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" + delivery + delivery
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as client:
        for start in range(0, len(data), 100):
            client.sendall(data[start : start + 100])
        answer = b""
        while answer.count(b"HTTP/1.1 20") < 3:
            part = client.recv(65536)
            assert part, answer
            answer += part


def test_deliveries_at_once_are_all_kept(server: Server) -> None:
    """Forty deliveries from many connections: forty answers 202, forty requests."""
    before = server.asked
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: server.post(push()).status_code, range(40)))
    assert [202] * 40 == answers
    assert before + 40 == server.asked


def test_the_rows_that_need_a_server_are_answered_alike(server: Server) -> None:
    """A sample of the body rows gives under gunicorn what it gives without."""
    for row in [row for row in ROWS if row.row in (0, 4, 17, 24, 29, 34)]:
        answer = requests.post(f"http://127.0.0.1:{server.port}{PATH}", data=row.body,
                               headers=row.sent(), timeout=10)  # fmt: skip
        if row.name != "branch left out":
            assert (row.name, row.status) == (row.name, answer.status_code)


def test_nothing_of_it_is_in_the_log(server: Server) -> None:
    """No traceback and no secret was written by all of the above."""
    log = (server.state / "log").read_text()
    assert "Traceback" not in log
    assert SECRET not in log
