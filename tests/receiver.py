"""A receiver that keeps every delivery it gets, on a free port of loopback."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Kept:
    """One delivery as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> str:
        """Gitea's name of the event."""
        return self.headers["x-gitea-event"]

    @property
    def said(self) -> dict[str, Any]:
        """The body."""
        read: dict[str, Any] = json.loads(self.body)
        return read


class Recorder:
    """Keeps deliveries; use as a context manager.

    :param delay: seconds before each answer.
    """

    def __init__(self, *, delay: float = 0.0, status: int = 202) -> None:
        self.kept: list[Kept] = []
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                recorder.kept.append(Kept(path=self.path, headers=headers, body=body))
                time.sleep(delay)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def wait(self, count: int, timeout: float = 15.0) -> list[Kept]:
        """Wait until so many came."""
        until = time.monotonic() + timeout
        while len(self.kept) < count and time.monotonic() < until:
            time.sleep(0.02)
        return list(self.kept)

    def __enter__(self) -> Recorder:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
