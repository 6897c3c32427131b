"""What the web application relies on in gunicorn beyond WSGI; each has a test that a changed release fails.

=============================================  =====================================================
``environ["gunicorn.socket"]``                 the client's connection; its time limit covers reads
                                               of ``wsgi.input`` (client_deadlines, request_body)
``--keep-alive`` with the gevent worker        the time limit for the head of a request
``BrokenPipeError`` while a response is sent   closes the connection, without a traceback
``shutdown`` of that connection                ends it; an unread body is not waited for
``environ["RAW_URI"]``                         the request target as it was sent (deliveries)
=============================================  =====================================================
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator

import pytest

from tea_runner.core.deliveries.registered_webhook import Webhook
from tea_runner.forge.registered_webhook_store import WebhookStore
from tests.web.deliveries import HOOK, NUMBER, PATH, SECRET, head, push
from tests.web.server import Server, serving


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """gunicorn with the shipped arguments; a part of a response must be read within a second."""
    state = tmp_path_factory.mktemp("receiver")
    hook = Webhook(
        id=HOOK, forge="gitea", repository="lab/edges", repository_id=NUMBER, secrets=(SECRET,)
    )
    WebhookStore(state / "hooks").keep(hook)
    (state / "large.log").write_bytes(b"x" * (32 << 20))
    env = {"TEST_STATE": str(state), "TEST_PART_SECONDS": "1"}
    with serving(state, "tests.web.receiver:application()", env) as server:
        yield server


def exchange(server: Server, data: bytes) -> tuple[bytes, float]:
    """Send bytes and read until the server closes; the answer and the seconds that it took."""
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as client:
        client.sendall(data)
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    return answer, time.monotonic() - began


def test_keep_alive_limits_the_time_for_a_head(server: Server) -> None:
    """Half a head: the connection is closed without an answer after --keep-alive seconds."""
    answer, seconds = exchange(server, b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n")
    assert answer == b""
    assert 4 < seconds < 15


@pytest.mark.long
def test_the_time_limit_of_the_socket_covers_the_body(server: Server) -> None:
    """A small body is waited for before the application runs, a large one by it: both get 408."""
    for length in (10, 1 << 20):
        answer, seconds = exchange(server, head(f"Content-Length: {length}") + b"{")
        assert answer.split(b" ")[1] == b"408"
        assert 4 < seconds < 15


def test_a_reader_that_is_too_slow_is_ended_without_a_traceback(server: Server) -> None:
    """The log is larger than all buffers, and nobody reads it."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as client:
        client.sendall(b"GET /log HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        time.sleep(4)
        size = 0
        with contextlib.suppress(ConnectionError):
            while part := client.recv(1 << 20):
                size += len(part)
    assert 0 < size < 32 << 20
    assert "Traceback" not in server.log


def test_the_connection_ends_when_a_body_is_not_read(server: Server) -> None:
    """A refused request has its answer at once; its body of a gigabyte is waited for two seconds."""
    answer, seconds = exchange(server, head("Content-Length: 1000000000") + b"{")
    assert answer.split(b" ")[1] == b"413"
    assert seconds < 15


def test_the_request_target_is_known_as_it_was_sent(server: Server) -> None:
    """An escaped or doubled character in the path of a hook is not the hook's address."""
    for path in (PATH.replace("hooks", "%68ooks"), "/" + PATH):
        data = head(f"Content-Length: {len(push())}", path=path) + push()
        assert server.send(data).split(b" ")[1] == b"404"
