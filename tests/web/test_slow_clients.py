"""Deliveries are answered in time beside thousands of half-open connections and slow readers."""

from __future__ import annotations

import contextlib
import resource
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tea_runner.core.deliveries.registered_webhook import Webhook
from tea_runner.forge.registered_webhook_store import WebhookStore
from tests.web.deliveries import HOOK, NUMBER, SECRET, head, push
from tests.web.server import Server, serving

#: Seconds that Gitea waits for the answer to a delivery.
FORGE_TIMEOUT = 5.0
DELIVERY = head(f"Content-Length: {len(push())}") + push()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """gunicorn with the shipped arguments, as many open files as it needs, and a log of 32 MiB."""
    state = tmp_path_factory.mktemp("receiver")
    hook = Webhook(
        id=HOOK, forge="gitea", repository="lab/edges", repository_id=NUMBER, secrets=(SECRET,)
    )
    WebhookStore(state / "hooks").keep(hook)
    (state / "large.log").write_bytes(b"x" * (32 << 20))
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limits[1], limits[1]))
    try:
        env = {"TEST_STATE": str(state), "TEST_PART_SECONDS": "8"}
        with serving(state, "tests.web.receiver:application()", env) as server:
            yield server
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def deliver_for(server: Server, seconds: float) -> list[float]:
    """Send correct deliveries, each on a new connection; return the seconds of each, sorted."""
    taken = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        began = time.monotonic()
        assert server.send(DELIVERY, wait=30).startswith(b"HTTP/1.1 202")
        taken.append(time.monotonic() - began)
        time.sleep(0.02)
    return sorted(taken)


def open_many(
    server: Server, requests: list[bytes], number: int, kept: list[socket.socket]
) -> None:
    """Open connections that send these beginnings of requests in turn, and wait."""
    for index in range(number):
        client = socket.socket()
        kept.append(client)
        # Few bytes fit into the kernel's buffers, so that the server feels a slow reader.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(30)
        client.connect(("127.0.0.1", server.port))
        client.sendall(requests[index % len(requests)])


@contextlib.contextmanager
def opened(server: Server, requests: list[bytes], number: int) -> Iterator[list[socket.socket]]:
    """Connections that a second thread opens while the block runs."""
    kept: list[socket.socket] = []
    opener = threading.Thread(target=open_many, args=(server, requests, number, kept))
    opener.start()
    try:
        yield kept
        opener.join()
    finally:
        for client in kept:
            client.close()


@pytest.mark.long
def test_three_thousand_half_open_connections_delay_deliveries_little(server: Server) -> None:
    """Without a request, with half a head, and with half a body; 99 of 100 answers take under a second."""
    half_open = [
        b"",
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n",
        head("Content-Length: 60000") + b"{",
    ]
    with opened(server, half_open, 3000):
        taken = deliver_for(server, 10)
    assert len(taken) > 50
    assert taken[int(len(taken) * 0.99)] < 1
    assert taken[-1] < FORGE_TIMEOUT


@pytest.mark.long
def test_slow_readers_of_a_log_do_not_delay_deliveries(server: Server) -> None:
    """32 clients read a log of 32 MiB at some bytes a second; they are ended after a while."""
    with opened(server, [b"GET /log HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"], 32) as readers:
        taken = deliver_for(server, 6)
        assert taken[int(len(taken) * 0.99)] < 1
        time.sleep(6)
        with ThreadPoolExecutor(32) as pool:
            sizes = list(pool.map(_read_all, readers))
    assert all(size < 32 << 20 for size in sizes)
    assert "Traceback" not in server.log


def _read_all(client: socket.socket) -> int:
    size = 0
    with contextlib.suppress(ConnectionError):
        while part := client.recv(1 << 20):
            size += len(part)
    return size


@pytest.mark.long
def test_five_hundred_event_streams_do_not_delay_deliveries(server: Server) -> None:
    """Each stream gets its events, and deliveries are answered within a second."""
    with opened(server, [b"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"], 500) as streams:
        taken = deliver_for(server, 5)
        assert taken[int(len(taken) * 0.99)] < 1
        assert all(b"data: " in stream.recv(65536) for stream in streams)
