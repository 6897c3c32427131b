"""A request in, its body within its limits out, or the answer that refuses it."""

from __future__ import annotations

import threading
import time
from typing import Any

from flask import Request

from tea_runner.flow.receive_delivery import DeliveryAnswer, refuse

#: Forges give up on a delivery after so long, so nobody waits for a slower body.
DEADLINE = 5.0
#: Such a body is there before a thread begins (arrivals.py).
SMALL = 1 << 16
_CHUNK = 1 << 16


def read_body(
    request: Request, largest: int, turns: threading.BoundedSemaphore
) -> bytes | DeliveryAnswer:
    """The whole body, or the refusal; nothing is read before its length and type are known.

    The order of the checks is that of the threat model: the cheapest first, none of them reading.

    :param turns: taken while a large body is waited for, so that slow ones never hold every thread.
    """
    length = request.headers.get("Content-Length", "")
    if "Transfer-Encoding" in request.headers or not length:
        return refuse(411, "send the body whole, with Content-Length")
    if not length.isascii() or not length.isdigit() or len(length) > 15:
        return refuse(400, "Content-Length is no number")
    if int(length) > largest:
        return refuse(413, f"the body is larger than {largest} bytes")
    if request.mimetype != "application/json":
        return refuse(415, "set the hook's content type to application/json")
    if request.headers.get("Content-Encoding", "identity") != "identity":
        return refuse(415, "send the body without Content-Encoding")
    if int(length) <= SMALL:
        return _read(request, int(length))
    if not turns.acquire(blocking=False):
        return DeliveryAnswer(
            status=503,
            outcome="failed",
            body={"error": "too many large deliveries at once; the push will be found later"},
        )
    try:
        return _read(request, int(length))
    finally:
        turns.release()


def _read(request: Request, length: int) -> bytes | DeliveryAnswer:
    stream: Any = request.environ["wsgi.input"]
    socket: Any = request.environ.get("gunicorn.socket")
    until = time.monotonic() + DEADLINE
    body = bytearray()
    try:
        while len(body) < length:
            left = until - time.monotonic()
            if left <= 0:
                return refuse(408, "the body did not come in time")
            if socket is not None:
                socket.settimeout(left)
            read = stream.read(min(_CHUNK, length - len(body)))
            if not read:
                return refuse(400, "the body is shorter than Content-Length says")
            body += read
    except TimeoutError:
        return refuse(408, "the body did not come in time")
    except OSError:
        return refuse(400, "the body broke off")
    finally:
        if socket is not None:
            socket.settimeout(None)
    return bytes(body)
