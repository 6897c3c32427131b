"""A listening socket and the thread that takes its clients in, both ended out."""

from __future__ import annotations

import socket
import threading


def end(listener: socket.socket, thread: threading.Thread) -> None:
    """Wake up who waits for clients, see him end, then close.

    A thread that still waits at a closed socket may wake up with its number, which is another's by then,
    and take that one's clients.
    """
    listener.shutdown(socket.SHUT_RDWR)
    thread.join(10)
    listener.close()
