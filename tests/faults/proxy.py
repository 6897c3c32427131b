"""TCP proxy with faults: it passes, refuses, hangs, cuts off or delays connections to a server.

One thread for each connection.  A mood holds for connections that are open as well as for new ones.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Literal

from tests import listening

Mood = Literal["pass", "refuse", "hang", "cut", "slow"]

#: Sends no goodbye when it is closed: the other side sees a reset.
_ABRUPT = struct.pack("ii", 1, 0)


class Proxy:
    """Listens on loopback and connects to the server for whoever comes; use it as a context manager.

    :param connect: a new connection to the server.
    """

    def __init__(self, connect: Callable[[], socket.socket]) -> None:
        self._connect = connect
        self.mood: Mood = "pass"
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = int(self._listener.getsockname()[1])
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="proxy", daemon=True)

    def __enter__(self) -> Proxy:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        listening.end(self._listener, self._thread)

    def _listen(self) -> None:
        while not self._over.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.mood == "refuse":
                _reset(client)
                continue
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            server = self._connect()
        except OSError:
            _reset(client)
            return
        try:
            self._pump(client, server)
        except OSError:
            pass
        finally:
            _reset(client)
            server.close()

    def _pump(self, client: socket.socket, server: socket.socket) -> None:
        other = {client: server, server: client}
        with selectors.DefaultSelector() as ready:
            for each in other:
                ready.register(each, selectors.EVENT_READ)
            while not self._over.is_set():
                # Looks up four times a second, so that a mood reaches who is silent.
                for key, _ in ready.select(0.25):
                    if self.mood == "hang":
                        break
                    source = key.fileobj
                    assert isinstance(source, socket.socket)
                    data = source.recv(64 if self.mood == "slow" else 65536)
                    if not data:
                        with contextlib.suppress(OSError):
                            other[source].shutdown(socket.SHUT_WR)
                        ready.unregister(source)
                        continue
                    if self.mood == "cut" and source is server:
                        client.sendall(data[: len(data) // 2])
                        return
                    other[source].sendall(data)
                if not ready.get_map() or self.mood == "refuse":
                    return
                if self.mood in ("hang", "slow"):
                    time.sleep(0.02)


def _reset(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABRUPT)
    connection.close()
