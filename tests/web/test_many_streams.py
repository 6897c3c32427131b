"""Many people who watch the same run and logs, on the server as it is shipped."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tea_runner.broker.job_logs import JobLog
from tea_runner.broker.redis_server import RedisServer
from tea_runner.wiring import Site
from tests.looking import RUN, begin, make_job, process_env, save
from tests.web.server import Server, serving

STREAMS = 500


@pytest.fixture
def server(broker: RedisServer, site: Site, tmp_path: Path) -> Iterator[Server]:
    """The pages, on the test's Redis."""
    state = tmp_path / "served"
    state.mkdir()
    env = process_env(broker, tmp_path) | {"TEA_RUNNER_STATE": str(tmp_path / "state")}
    with serving(state, "tea_runner.web.wsgi:application()", env) as running:
        yield running


@contextlib.contextmanager
def streams(port: int, paths: list[str], token: str) -> Iterator[list[socket.socket]]:
    """Open connections that have asked for these."""
    said = f"Authorization: Bearer {token}\r\n\r\n"
    with contextlib.ExitStack() as stack:
        opened = []
        for path in paths:
            made = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60))
            made.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{said}".encode())
            opened.append(made)
        yield opened


def wait_for(stream: socket.socket, words: bytes) -> bytes:
    """Read until the words are there."""
    data = b""
    while words not in data:
        part = stream.recv(65536)
        assert part, data
        data += part
    return data


@pytest.mark.long
def test_five_hundred_streams_get_every_change_and_pages_stay_quick(
    server: Server, site: Site
) -> None:
    """Half of them watch a run, half a log; a page in between is answered within two seconds."""
    job = make_job(1)
    claim = begin(site, job, b"one\n")
    save(site, [job])
    paths = [f"/runs/{RUN}/events", f"/jobs/{job.id}/log/events?from=0-1-"] * (STREAMS // 2)
    with streams(server.port, paths, site.pages_token) as opened:
        for number, stream in enumerate(opened):
            wait_for(stream, b"one" if number % 2 else b"retry:")
        said = {"Authorization": f"Bearer {site.pages_token}"}
        asked = site.redis.info("stats")["total_commands_processed"]
        began = time.monotonic()
        answer = requests.get(
            f"http://127.0.0.1:{server.port}/runs/{RUN}", timeout=30, headers=said
        )
        assert (200, True) == (answer.status_code, time.monotonic() - began < 2)
        time.sleep(max(0.0, 5 - (time.monotonic() - began)))
        # Watchers of one run share a look at it; each log is looked at for itself.
        assert site.redis.info("stats")["total_commands_processed"] - asked < 5 * STREAMS * 3
        JobLog(site.redis, job.id, 1 << 20).write(b"two\n")
        site.jobs.finish(claim, "done")
        save(site, [job], state="settled")
        for stream in opened:
            wait_for(stream, b"event: end")
    assert "Traceback" not in server.log
