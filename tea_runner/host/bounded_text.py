"""Output of a command, of which the first and the last bytes are kept up to a limit."""

from __future__ import annotations


class BoundedText:
    """Half of the limit for the first bytes, half for the last ones.

    :param limit: bytes that are kept.
    """

    def __init__(self, limit: int) -> None:
        self._half = max(limit // 2, 2048)
        self._head = bytearray()
        self._tail = bytearray()
        self._dropped = 0

    def write(self, data: bytes) -> None:
        """Append what a command has written."""
        room = self._half - len(self._head)
        self._head += data[:room] if room > 0 else b""
        self._tail += data[room:] if room > 0 else data
        excess = len(self._tail) - self._half
        # Twice the tail is held, so that bytes are moved rarely.
        if excess > self._half:
            self._drop(excess)

    def _drop(self, number: int) -> None:
        del self._tail[:number]
        self._dropped += number

    def read(self) -> bytes:
        """What is kept, with a line for what is not."""
        self._drop(max(0, len(self._tail) - self._half))
        gap = f"\n… {self._dropped} bytes were not kept …\n".encode() if self._dropped else b""
        return bytes(self._head) + gap + bytes(self._tail)
