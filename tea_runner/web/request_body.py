"""Read the body of a delivery within its limits, or refuse it."""

from __future__ import annotations

import threading
import time
from typing import Any

from flask import Request

from tea_runner.flow.receive_delivery import DeliveryAnswer, refuse
from tea_runner.web.client_deadlines import BODY_SECONDS, SMALL_BODY

_CHUNK = 1 << 16


def read_body(
    request: Request,
    largest: int,
    large_bodies: threading.BoundedSemaphore,
    *,
    any_type: bool = False,
) -> bytes | DeliveryAnswer:
    """Read the whole body, or return a refusal.

    The checks are in the order of the threat model: the cheapest first, none of them reading.

    :param largest: limit in bytes.
    :param large_bodies: limits how many large bodies are in memory at once.
    :param any_type: whether the content may be of another type than JSON, or nothing at all.
    """
    length = request.headers.get("Content-Length", "0" if any_type else "")
    if "Transfer-Encoding" in request.headers or not length:
        return refuse(411, "Content-Length is required")
    if not length.isascii() or not length.isdigit() or len(length) > 15:
        return refuse(400, "Content-Length is not a number")
    if int(length) > largest:
        return refuse(413, f"the body is larger than {largest} bytes")
    if not any_type and request.mimetype != "application/json":
        return refuse(415, "set the hook's content type to application/json")
    if request.headers.get("Content-Encoding", "identity") != "identity":
        return refuse(415, "send the body without Content-Encoding")
    if int(length) <= SMALL_BODY:
        return _read(request, int(length))
    if not large_bodies.acquire(blocking=False):
        return DeliveryAnswer(
            http_status=503,
            outcome="failed",
            body={"error": "too many large deliveries at once; the push will be found later"},
        )
    try:
        return _read(request, int(length))
    finally:
        large_bodies.release()


def _read(request: Request, length: int) -> bytes | DeliveryAnswer:
    stream: Any = request.environ["wsgi.input"]
    socket: Any = request.environ.get("gunicorn.socket")
    until = time.monotonic() + BODY_SECONDS
    body = bytearray()
    try:
        while len(body) < length:
            left = until - time.monotonic()
            if left <= 0:
                return refuse(408, "the request body did not arrive in time")
            if socket is not None:
                socket.settimeout(left)
            read = stream.read(min(_CHUNK, length - len(body)))
            if not read:
                return refuse(400, "the body is shorter than Content-Length")
            body += read
            # Under gevent other requests run now, also when the body arrives without a pause.
            time.sleep(0)
    except TimeoutError:
        return refuse(408, "the request body did not arrive in time")
    except OSError:
        return refuse(400, "the connection failed while the body was read")
    finally:
        if socket is not None:
            socket.settimeout(None)
    return bytes(body)
