"""Connections in, requests that have arrived out to the threads: a slow client holds a socket only.

gunicorn gives each connection to a thread, which waits for the head of a request as long as the client
likes; and its loop itself waits two seconds for each client that does not hang up.  Some dozen such
clients are enough, and nobody else is answered.  Here the loop gathers what arrives, under one deadline
for head and small body together, and a thread begins when the request is there.  Larger bodies are read
by threads, after the checks that need no body; see :mod:`tea_runner.web.request_body`.
"""

from __future__ import annotations

import contextlib
import errno
import re
import selectors
import socket
import struct
import time
from collections import deque
from functools import partial
from typing import Any

from gunicorn.http.errors import NoMoreData
from gunicorn.workers.gthread import TConn, ThreadWorker

from tea_runner.web.request_body import DEADLINE, SMALL

#: Longer heads are refused: gunicorn's own limits are lower for each line.
LONGEST_HEAD = 1 << 16
#: Beyond these gunicorn's limits are near (gunicorn_config.py).
_FIELDS, _LINE = 40, 2000
#: Seconds, and bytes, that a client has to hang up after its answer.
_LEAVING, _LEFT = 2.0, 1 << 20
#: Seconds after which a connection without a request is closed by a process that ends.
_ON_ITS_WAY = 1.0
#: Seconds in which a client must take some of its answer.
_TAKING = 20

_LENGTH = re.compile(rb"(?i)\r\ncontent-length:[ \t]*(\d{1,15})[ \t]*(?=\r\n)")
#: Then the body's length is not what counts: the request goes on as it is, to be judged.
_OTHERWISE = re.compile(rb"(?i)\r\n(?:transfer-encoding|expect)[ \t]*:")


def wanting(arrived: bytes | bytearray) -> int:
    """How many bytes at least are still to come before a thread can begin; 0 when it can."""
    end = arrived.find(b"\r\n\r\n")
    if end < 0:
        return 1
    head = bytes(arrived[: end + 2])
    lengths = _LENGTH.findall(head)
    if head.count(b"\n") > _FIELDS or max(map(len, head.split(b"\n"))) > _LINE:
        # What is refused for its head needs no body.
        return 0
    if len(lengths) != 1 or _OTHERWISE.search(head) or int(lengths[0]) > SMALL:
        return 0
    return max(0, end + 4 + int(lengths[0]) - len(arrived))


def _unread(request: Any) -> bool:
    """Whether some of a request's body was not read; of a chunked one nobody knows."""
    return bool(getattr(request.body.reader, "length", 1))


def _refusal(status: str, sentence: str) -> bytes:
    body = b'{"error":"%s"}\n' % sentence.encode()
    head = f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Type: application/json\r\n"
    return head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body


class BufferingThreadWorker(ThreadWorker):  # type: ignore[misc]
    """A gunicorn worker whose threads never wait for a client to begin."""

    def init_process(self) -> None:
        """Begin; this returns when the process ends."""
        self._leaving: deque[Any] = deque()
        super().init_process()

    # -- arriving ----------------------------------------------------------------------------

    def accept(self, listener: socket.socket) -> None:
        """A new connection: it is looked at when something comes."""
        try:
            client, address = listener.accept()
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK):
                raise
            return
        self.nr_conns += 1
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("@ll", _TAKING, 0))
        self._await(TConn(self.cfg, client, address, listener.getsockname()))

    def _await(self, conn: Any, begun: bytes = b"") -> None:
        conn.arrived = bytearray(begun)
        conn.data_ready = True
        if begun and not wanting(begun):
            self.enqueue_req(conn)
            return
        conn.sock.setblocking(False)
        conn.timeout = time.monotonic() + DEADLINE
        self.pending_conns.append(conn)
        ready = partial(self.on_pending_socket_readable, conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, ready)

    def on_pending_socket_readable(self, conn: Any, client: socket.socket) -> None:
        """More of a request; a thread begins when there is enough of it."""
        try:
            data = client.recv(1 << 16)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        conn.arrived += data
        if data and wanting(conn.arrived):
            if b"\r\n\r\n" in conn.arrived or len(conn.arrived) <= LONGEST_HEAD:
                return
            self._not_pending(conn)
            self._end(conn, _refusal("431 Request Header Fields Too Large", "the head is too long"))
            return
        self._not_pending(conn)
        if conn.arrived:
            self.enqueue_req(conn)
        else:
            self._close(conn)

    def on_client_socket_readable(self, conn: Any, client: socket.socket) -> None:
        """The next request on a connection that was kept."""
        self.poller.unregister(client)
        self.keepalived_conns.remove(conn)
        self._await(conn)
        # At once: it must not look as if it had not begun.
        self.on_pending_socket_readable(conn, client)

    def _not_pending(self, conn: Any) -> None:
        self.pending_conns.remove(conn)
        self.poller.unregister(conn.sock)

    def murder_pending(self) -> None:
        """End those whose time is over; when this process ends, also those that have not begun."""
        now = time.monotonic()
        while self.pending_conns and self.pending_conns[0].timeout <= now:
            conn = self.pending_conns[0]
            self._not_pending(conn)
            late = _refusal("408 Request Timeout", "the request did not come in time")
            self._end(conn, late if conn.arrived else b"")
        while self._leaving and (self._leaving[0].timeout <= now or not self.alive):
            self._left(self._leaving[0])
        if not self.alive:
            # A request may be on its way to a connection that was just made.
            latest = now + DEADLINE - _ON_ITS_WAY
            for conn in [c for c in self.pending_conns if not c.arrived and c.timeout <= latest]:
                self._not_pending(conn)
                self._close(conn)

    # -- in a thread ---------------------------------------------------------------------------

    def handle(self, conn: Any) -> bool:
        """One request; whether the connection is kept for another."""
        request = None
        try:
            conn.sock.setblocking(True)
            conn.init()
            conn.parser.unreader.unread(bytes(conn.arrived))
            request = next(conn.parser)
            if not request:
                return False
            # A body that nobody wanted is not waited for: the answer says so, and is the last.
            asked = request.should_close
            request.should_close = lambda: asked() or _unread(request)
            return bool(self.handle_request(request, conn))
        except (NoMoreData, StopIteration, OSError) as error:
            self.log.debug("the client went away: %s", error)
        except Exception as error:
            self.handle_error(request, conn.sock, conn.client, error)
        return False

    # -- leaving -----------------------------------------------------------------------------

    def finish_request(self, conn: Any, future: Any) -> None:
        """After a thread: wait for the next request, or for the client to hang up."""
        try:
            kept = not future.cancelled() and future.result()
        except Exception:
            self._close(conn)
            return
        if not kept:
            self._end(conn)
        elif begun := conn.parser.unreader.take_buffered():
            self._await(conn, begun)
        else:
            conn.sock.setblocking(False)
            conn.set_timeout()
            if not self.alive:
                conn.timeout = min(conn.timeout, time.monotonic() + _LEAVING)
            self.keepalived_conns.append(conn)
            ready = partial(self.on_client_socket_readable, conn)
            self.poller.register(conn.sock, selectors.EVENT_READ, ready)

    def _end(self, conn: Any, last: bytes = b"") -> None:
        """Say the last word.  Closed at once, what the client still sends would undo it."""
        try:
            conn.sock.setblocking(False)
            if last:
                conn.sock.send(last)
            conn.sock.shutdown(socket.SHUT_WR)
            conn.timeout, conn.left = time.monotonic() + _LEAVING, 0
            self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._leave, conn))
        except (OSError, ValueError):
            self._close(conn)
        else:
            self._leaving.append(conn)

    def _leave(self, conn: Any, client: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError, InterruptedError):
            data = b""
            with contextlib.suppress(ConnectionError, TimeoutError):
                data = client.recv(1 << 16)
            conn.left += len(data)
            if not data or conn.left > _LEFT:
                self._left(conn)

    def _left(self, conn: Any) -> None:
        self._leaving.remove(conn)
        self.poller.unregister(conn.sock)
        self._close(conn)

    def _close(self, conn: Any) -> None:
        self.nr_conns -= 1
        conn.close()
