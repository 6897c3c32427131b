"""git's smart HTTP protocol, by ``git http-backend`` (CGI)."""

from __future__ import annotations

import contextlib
import functools
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from tea_runner.forge.embedded.accounts import Account
from tea_runner.forge.embedded.bare_repositories import BareRepositories, BareRepository
from tea_runner.forge.embedded.webhook_payload import RefUpdate
from tea_runner.host import process

_CHUNK = 1 << 16
#: Requests that are passed to http-backend: (method, path below the repository).
SERVICES = {
    ("GET", "info/refs"),
    ("POST", "git-upload-pack"),
    ("POST", "git-receive-pack"),
}


class BodyError(Exception):
    """The request body ended early or is malformed."""


def body(handler: BaseHTTPRequestHandler) -> Iterator[bytes]:
    """Yield the request body in pieces, decoding chunks."""
    if handler.headers.get("Transfer-Encoding", "").lower() == "chunked":
        yield from _chunks(handler)
        return
    left = int(handler.headers.get("Content-Length") or 0)
    while left:
        piece = handler.rfile.read(min(left, _CHUNK))
        if not piece:
            raise BodyError("the body ended early")
        left -= len(piece)
        yield piece


def _chunks(handler: BaseHTTPRequestHandler) -> Iterator[bytes]:
    while True:
        line = handler.rfile.readline(1024)
        try:
            left = int(line.split(b";")[0], 16)
        except ValueError as error:
            raise BodyError("a chunk has no length") from error
        if left <= 0:
            break
        while left:
            piece = handler.rfile.read(min(left, _CHUNK))
            if not piece:
                raise BodyError("the body ended early")
            left -= len(piece)
            yield piece
        handler.rfile.readline(16)
    while handler.rfile.readline(1024) not in (b"\r\n", b"\n", b""):
        pass


def serve(
    handler: BaseHTTPRequestHandler,
    store: BareRepositories,
    repository: BareRepository,
    account: Account,
    service: str,
    query: str,
    pushed: Callable[[list[RefUpdate]], None],
) -> None:
    """Answer one request; *pushed* gets the ref updates before the response ends."""
    with tempfile.TemporaryDirectory(dir=store.own, prefix="push-") as folder:
        report = Path(folder) / "report"
        report.touch()
        env = _environment(handler, store, repository, account, service, query, report)
        _exchange(handler, env, lambda: pushed(list(_moved(report))))


def _environment(
    handler: BaseHTTPRequestHandler,
    store: BareRepositories,
    repository: BareRepository,
    account: Account,
    service: str,
    query: str,
    report: Path,
) -> dict[str, str]:
    """The CGI variables (RFC 3875) of http-backend."""
    env = {
        **store.environment(),
        "GIT_PROJECT_ROOT": str(store.root),
        "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": f"/{repository.full_name}.git/{service}",
        "QUERY_STRING": query,
        "REQUEST_METHOD": handler.command,
        "REMOTE_USER": account.name,
        "REMOTE_ADDR": str(handler.client_address[0]),
        "CONTENT_TYPE": handler.headers.get("Content-Type", ""),
        "SERVER_PROTOCOL": handler.request_version,
        "TEA_PUSH_REPORT": str(report),
    }
    for header, name in (
        ("Content-Encoding", "HTTP_CONTENT_ENCODING"),
        ("Git-Protocol", "HTTP_GIT_PROTOCOL"),
        ("Content-Length", "CONTENT_LENGTH"),
    ):
        value = handler.headers.get(header)
        if value:
            env[name] = value
    return env


@functools.cache
def _backend(path: str) -> tuple[str, ...]:
    """Command of http-backend; started through ``git``, each request would start a second process."""
    done = process.run(["git", "--exec-path"], env={"PATH": path})
    program = Path(os.fsdecode(done.stdout.strip())) / "git-http-backend"
    return (str(program),) if program.exists() else ("git", "http-backend")


def _exchange(
    handler: BaseHTTPRequestHandler, env: dict[str, str], done: Callable[[], None]
) -> None:
    """Pass the body to the program and its response to the client, who may disconnect during a push."""
    backend = process.start_process(
        _backend(env["PATH"]), env=env, stdin=process.PIPE, stderr=process.DEVNULL
    )
    assert backend.stdin is not None
    assert backend.stdout is not None
    into, out = backend.stdin, backend.stdout

    def feed() -> None:
        try:
            for piece in body(handler):
                into.write(piece)
        except (BodyError, OSError, ValueError):
            handler.close_connection = True
        finally:
            with contextlib.suppress(OSError):
                into.close()

    feeder = threading.Thread(target=feed, daemon=True)
    feeder.start()
    try:
        status, headers = 200, []
        while line := out.readline().strip():
            name, _, value = line.decode("latin-1").partition(": ")
            if name == "Status":
                status = int(value.split()[0])
            else:
                headers.append((name, value))
        there = True
        with contextlib.suppress(OSError):
            handler.send_response(status)
            for name, value in headers:
                handler.send_header(name, value)
            handler.send_header("Transfer-Encoding", "chunked")
            handler.end_headers()
        while piece := out.read1(_CHUNK):  # type: ignore[attr-defined]
            there = there and _write(handler, b"%x\r\n%s\r\n" % (len(piece), piece))
        backend.wait(60)
        done()
        if there:
            _write(handler, b"0\r\n\r\n")
        feeder.join(60)
    finally:
        process.kill(backend)


def _write(handler: BaseHTTPRequestHandler, data: bytes) -> bool:
    try:
        handler.wfile.write(data)
        handler.wfile.flush()
    except OSError:
        handler.close_connection = True
        return False
    return True


def _moved(report: Path) -> Iterator[RefUpdate]:
    for line in report.read_text("utf-8", "replace").splitlines():
        before, after, ref = line.split(" ", 2)
        yield RefUpdate(before=before, after=after, ref=ref)
