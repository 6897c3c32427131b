"""Signed deliveries to gunicorn with two processes, each of another branch, checked and enqueued."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import socket
import sys
import threading
import time
from pathlib import Path

import requests

from benchmarks.figure import Book, Plan
from tea_runner.broker.redis_server import RedisServer
from tea_runner.cli.embedded_forge_setup import free_port
from tea_runner.core.deliveries.registered_webhook import Webhook
from tea_runner.forge.registered_webhook_store import WebhookStore
from tea_runner.host import process
from tea_runner.host.tool_search_path import tool_path

RATE = "signed deliveries, deduplicated and enqueued"
SLOWEST = "the same, p99 of an answer"
_SECRET = "a secret of at least this many characters"
_ID = "a" * 24


def measure(root: Path, book: Book, plan: Plan) -> None:
    """A few seconds of deliveries over eight connections."""
    root.mkdir(parents=True, exist_ok=True)
    env = {**os.environ, "PATH": tool_path(os.environ)}
    broker = RedisServer(root, env)
    broker.start()
    hook = Webhook(
        id=_ID, forge="gitea", repository="lab/edges", repository_id=7, secrets=(_SECRET,)
    )
    WebhookStore(root / "hooks").keep(hook)
    port = free_port()
    flags = {"state": root, "web.port": port, "redis.url": broker.url, "web.processes": 2}
    argv = [sys.executable, "-m", "tea_runner"]
    for name, value in flags.items():
        argv += ["-c", f"{name}={value}"]
    with (root / "log").open("wb") as log:
        server = process.start_process([*argv, "serve"], env=env, cwd=root, stdout=log, stderr=log)
    try:
        _wait(port)
        for _ in range(plan.rounds):
            rate, slowest = _load(port, seconds=4.0)
            book.add(RATE, "tea-runner", rate, unit="/s", goal=2500)
            book.add(SLOWEST, "tea-runner", 1000 * slowest, unit="ms", goal=20)
    finally:
        _end(server)
        broker.stop()
    _floor(root, env, book, plan)


def _end(server: process.Process) -> None:
    server.terminate()
    server.wait(30)
    process.kill(server)


_BARE = """\
def app(environ, start):
    environ["wsgi.input"].read()
    start("202 Accepted", [("Content-Length", "0")])
    return []
"""


def _floor(root: Path, env: dict[str, str], book: Book, plan: Plan) -> None:
    """The same deliveries to an application that reads them and answers, under the same server."""
    (root / "bare.py").write_text(_BARE)
    port = free_port()
    argv = [sys.executable, "-m", "gunicorn", "--workers", "2", "--bind", f"127.0.0.1:{port}"]
    argv += ["--worker-class", "gthread", "--threads", "4", "bare:app"]
    with (root / "bare.log").open("wb") as log:
        server = process.start_process(argv, env=env, cwd=root, stdout=log, stderr=log)
    try:
        _wait(port)
        for _ in range(plan.rounds):
            rate, slowest = _load(port, seconds=4.0)
            book.add(
                RATE, "floor: gunicorn alone", rate, unit="/s", note="checks and keeps nothing"
            )
            book.add(SLOWEST, "floor: gunicorn alone", 1000 * slowest, unit="ms")
    finally:
        _end(server)


def _wait(port: int) -> None:
    for _ in range(300):
        try:
            if requests.get(f"http://127.0.0.1:{port}/healthz", timeout=1).ok:
                return
        except requests.RequestException:
            time.sleep(0.1)
    raise RuntimeError("the receiver did not start")


def _load(port: int, *, seconds: float, connections: int = 8) -> tuple[float, float]:
    """Answers a second, and the slowest of a hundred."""
    taken: list[float] = []
    end = time.perf_counter() + seconds

    def deliver(number: int) -> None:
        requests_ready = [_delivery(f"b{number}-{index}") for index in range(64)]
        with socket.create_connection(("127.0.0.1", port)) as stream:
            index = 0
            while time.perf_counter() < end:
                began = time.perf_counter()
                stream.sendall(requests_ready[index % 64])
                answer = _answer(stream)
                if not answer.startswith(b"HTTP/1.1 202"):
                    raise RuntimeError(f"the receiver answered {answer[:80]!r}")
                taken.append(time.perf_counter() - began)
                index += 1
                if b"onnection: close" in answer:
                    stream.close()
                    return deliver(number)
        return None

    threads = [threading.Thread(target=deliver, args=(n,)) for n in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken.sort()
    return len(taken) / seconds, taken[int(len(taken) * 0.99)]


def _answer(stream: socket.socket) -> bytes:
    answer = stream.recv(65536)
    while answer and b"\r\n\r\n" not in answer:
        answer += stream.recv(65536)
    head, _, body = answer.partition(b"\r\n\r\n")
    size = next(
        (
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length:")
        ),
        0,
    )
    while len(body) < size:
        body += stream.recv(65536)
    return head


def _delivery(branch: str) -> bytes:
    commits = [{"id": f"{n:040x}", "message": "x" * 1000} for n in range(5)]
    body = json.dumps(
        {
            "ref": f"refs/heads/{branch}",
            "before": "1" * 40,
            "after": "2" * 40,
            "commits": commits,
            "repository": {"id": 7, "full_name": "lab/edges"},
        }
    ).encode()
    signature = hmac.new(_SECRET.encode(), body, hashlib.sha256).hexdigest()
    head = (
        f"POST /hooks/gitea/{_ID} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"X-Gitea-Event: push\r\nX-Gitea-Signature: {signature}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
