"""WSGI middleware: deadlines for clients that send a request or read a response slowly.

gunicorn's gevent worker serves each connection in a greenlet, so a slow client holds a socket and some
kilobytes.  It closes a connection whose request line and headers are not there after ``--keep-alive``
seconds, but waits for bodies and for readers of responses without a limit.  This middleware sets those
limits.  What it needs of gunicorn beyond WSGI is listed in ``tests/web/test_gunicorn_private_parts.py``.
"""

from __future__ import annotations

import contextlib
import errno
import io
import socket
import time
from collections.abc import Iterable, Iterator
from typing import Any

import gevent

from tea_runner.web.url_prefix import Application

#: Seconds for a request body; forges give up on a delivery after five.
BODY_SECONDS = 5.0
#: Bytes of a body that is read before the application runs; most deliveries are smaller.
SMALL_BODY = 1 << 16
#: Seconds in which the client must read each part of a response; a log is sent in parts of 64 KiB.
PART_SECONDS = 30.0
#: Seconds and bytes for the rest of a body that the application did not read.
_REST_SECONDS, _REST_BYTES = 2.0, 1 << 20
_CHUNK = 1 << 16


class ClientDeadlines:
    """The application with time limits for its clients."""

    def __init__(self, application: Application) -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Read a small body, then call the application."""
        connection = environ.get("gunicorn.socket")
        if connection is None:
            return self._application(environ, start_response)
        body = _CountedBody(environ["wsgi.input"], environ)
        environ["wsgi.input"] = body
        if 0 < body.left <= SMALL_BODY:
            try:
                small = _read_before(body, connection, time.monotonic() + BODY_SECONDS)
            except OSError:
                return _request_timeout(connection, start_response)
            environ["wsgi.input"] = io.BytesIO(small)
        response = self._application(environ, start_response)
        return _limited(response, body, connection)


class _CountedBody:
    """A request body that counts the bytes that were not read yet; infinity for a chunked body."""

    def __init__(self, stream: Any, environ: dict[str, Any]) -> None:
        self._stream = stream
        length = environ.get("CONTENT_LENGTH") or "0"
        chunked = "HTTP_TRANSFER_ENCODING" in environ
        self.left = float("inf") if chunked else float(length if length.isdigit() else 0)

    def read(self, size: int) -> bytes:
        """Read at most *size* bytes."""
        data: bytes = self._stream.read(size)
        self.left = self.left - len(data) if data else 0
        return data


def _read_before(body: _CountedBody, connection: Any, deadline: float) -> bytes:
    """Read the rest of a body.

    :raises TimeoutError: when it is not there in time.
    """
    data = bytearray()
    try:
        while body.left:
            connection.settimeout(max(0.001, deadline - time.monotonic()))
            data += body.read(_CHUNK)
            if len(data) > _REST_BYTES:
                raise TimeoutError
            # A client that sends faster than we read must not keep the others waiting.
            gevent.sleep(0)
    finally:
        connection.settimeout(None)
    return bytes(data)


def _limited(response: Iterable[bytes], body: _CountedBody, connection: Any) -> Iterator[bytes]:
    """Pass on a response; its server writes each part while this generator is suspended."""
    try:
        for part in response:
            # gunicorn closes the connection without a traceback for this error.
            slow = BrokenPipeError(errno.EPIPE, "the client reads too slowly")
            timer = gevent.Timeout.start_new(PART_SECONDS, slow)
            try:
                yield part
            finally:
                timer.close()
        if body.left:
            _discard_rest(body, connection)
    finally:
        close = getattr(response, "close", None)
        if close is not None:
            close()


def _discard_rest(body: _CountedBody, connection: Any) -> None:
    """Read what is left of a body, or end the connection.

    A connection that is closed while data arrives is reset, and the client may lose the response.
    """
    try:
        _read_before(body, connection, time.monotonic() + _REST_SECONDS)
    except (OSError, ValueError):
        _end(connection)


def _end(connection: Any) -> None:
    """End the stream of requests, so that the server closes the connection."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _request_timeout(connection: Any, start_response: Any) -> Iterator[bytes]:
    body = b'{"error":"the request body did not arrive in time"}\n'
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start_response("408 Request Timeout", headers)
    yield body
    _end(connection)
