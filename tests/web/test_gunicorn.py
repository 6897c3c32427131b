"""The receiver under gunicorn with the shipped arguments: raw bytes sent, status lines compared."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tea_runner.core.deliveries.registered_webhook import Webhook
from tea_runner.forge.registered_webhook_store import WebhookStore
from tests.web.deliveries import HOOK, NUMBER, ROWS, SECRET, WIRE, WireRow, head, push
from tests.web.server import Server, serving


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """gunicorn with the shipped arguments."""
    state = tmp_path_factory.mktemp("receiver")
    hook = Webhook(
        id=HOOK, forge="gitea", repository="lab/edges", repository_id=NUMBER, secrets=(SECRET,)
    )
    WebhookStore(state / "hooks").keep(hook)
    with serving(state, "tests.web.receiver:application()", {"TEST_STATE": str(state)}) as server:
        yield server


SIZE = len(push())


@pytest.mark.parametrize("row", [row for row in WIRE if row.row != "13"], ids=lambda row: row.name)
def test_every_listed_request_gets_its_status(server: Server, row: WireRow) -> None:
    """Rows 1 to 16 on the wire, and no plan is asked for."""
    before = server.asked
    line = server.send(row.data).split(b"\r\n", 1)[0].decode()
    assert str(row.status) == line.split(" ")[1]
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
    """A delivery is accepted meanwhile; then those without a whole head are closed, the others get 408."""
    begun = (
        b"",
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n",
        head("Content-Length: 60000") + b"{",
        head("Content-Length: 60000", path="/") + b"{",
    )
    slow = [client for data in begun for client in _slow(server, data, 50)]
    try:
        assert server.post(push()).status_code == 202
        waiting, _, _ = select.select(slow, [], [], 0)
        assert [] == waiting, "they were still waiting when it was accepted"
        answers = [client.recv(1000).split(b" ", 2)[1:2] for client in slow]
        assert [[]] * 100 + [[b"408"]] * 100 == answers
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


def test_few_large_bodies_are_read_at_once(server: Server) -> None:
    """Slow large bodies get 408, those beyond the limit 503; small deliveries are accepted meanwhile."""
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
    data = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" + delivery + delivery
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
    for row in [row for row in ROWS if row.row in ("0", "4", "17", "24", "29", "34")]:
        answer = server.post(row.body, row.sent())
        if row.name != "branch left out":
            assert (row.name, row.status) == (row.name, answer.status_code)


def test_nothing_of_it_is_in_the_log(server: Server) -> None:
    """No traceback and no secret was written by all of the above."""
    assert "Traceback" not in server.log
    assert SECRET not in server.log
