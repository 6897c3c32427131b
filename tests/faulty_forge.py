"""Embedded forge with faults: lost, repeated and late deliveries; refused, delayed and cut responses."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tea_runner.forge.embedded import EmbeddedForge
from tea_runner.forge.embedded.api import Reply
from tea_runner.forge.embedded.request_handler import ForgeRequestHandler
from tea_runner.forge.embedded.webhook_sender import Delivery, WebhookSender


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What goes wrong with one response.

    :param status: sent instead of the response; 0 for the response itself.
    :param keep: bytes of the response that are sent before the connection breaks; None for all.
    :param delay: seconds before the request is handled.
    """

    status: int = 0
    keep: int | None = None
    delay: float = 0.0


class Faults:
    """No faults: every delivery once and at once, every response whole."""

    def deliveries(self, due: Sequence[Delivery]) -> Iterable[tuple[float, Delivery]]:
        """What is sent of the deliveries of one push, each after a delay in seconds."""
        return [(0.0, each) for each in due]

    def response(self, method: str, path: str) -> Fault | None:
        """What goes wrong with the response to this request."""
        return None


class RandomFaults(Faults):
    """Faults with given probabilities, drawn from a seed; thread-safe."""

    def __init__(
        self,
        seed: int,
        *,
        drop: float = 0.0,
        repeat: float = 0.0,
        delay: float = 0.0,
        fail: float = 0.0,
        cut: float = 0.0,
    ) -> None:
        """*delay* is the longest one in seconds, the others are probabilities."""
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self.drop = drop
        self.repeat = repeat
        self.delay = delay
        self.fail = fail
        self.cut = cut

    def deliveries(self, due: Sequence[Delivery]) -> Iterable[tuple[float, Delivery]]:
        """Drop some, send some twice, and all of them late and in any order."""
        with self._lock:
            sent = []
            for each in due:
                if self._random.random() < self.drop:
                    continue
                times = 2 if self._random.random() < self.repeat else 1
                sent += [(self._random.uniform(0, self.delay), each) for _ in range(times)]
            self._random.shuffle(sent)
        return sent

    def response(self, method: str, path: str) -> Fault | None:
        """Refuse some requests with 503, and break the connection during some responses."""
        with self._lock:
            if self._random.random() < self.fail:
                return Fault(status=503)
            if self._random.random() < self.cut:
                return Fault(keep=self._random.randrange(64))
        return None


class FaultyForge(EmbeddedForge):
    """An embedded forge whose :attr:`faults` may be replaced at any time."""

    def __init__(self, root: Path, *, faults: Faults | None = None, **options: Any) -> None:
        self.faults = faults or Faults()
        sender = _FaultySender(lambda: self.faults)
        super().__init__(root, sender=sender, handler=_FaultyHandler, **options)
        self.wait_for_deliveries = sender.wait


class _FaultySender(WebhookSender):
    """Sends as the faults say, and counts what is not sent yet."""

    def __init__(self, faults: Callable[[], Faults]) -> None:
        super().__init__()
        self._faults = faults
        self._pending = 0
        self._changed = threading.Condition()

    def send(self, deliveries: Sequence[Delivery]) -> None:
        """Send each after its delay."""
        for delay, each in self._faults().deliveries(deliveries):
            self.submit(partial(self.attempt, each, delay))

    def submit(self, task: Callable[[], None]) -> None:
        """Run a task in the background."""
        with self._changed:
            self._pending += 1

        def counted() -> None:
            try:
                task()
            finally:
                with self._changed:
                    self._pending -= 1
                    self._changed.notify_all()

        super().submit(counted)

    def wait(self, timeout: float = 30.0) -> bool:
        """Wait until everything was sent; returns whether it was."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._pending, timeout)


class _FaultyHandler(ForgeRequestHandler):
    """Responds as the faults say."""

    def respond(self) -> None:
        """Delay, refuse, cut, or handle the request."""
        assert isinstance(self.forge, FaultyForge)
        fault = self.forge.faults.response(self.command, self.path) or Fault()
        time.sleep(fault.delay)
        if fault.status:
            self.close_connection = True
            self.send_json(Reply(status=fault.status, body={"message": "busy"}))
            return
        if fault.keep is not None:
            self.close_connection = True
            self.wfile = _BreakingStream(self.wfile, fault.keep, self.connection)
        super().respond()


class _BreakingStream:
    """A stream that passes on some bytes and then breaks the connection."""

    closed = False

    def __init__(self, stream: Any, left: int, connection: socket.socket) -> None:
        self._stream = stream
        self._left = left
        self._connection = connection

    def write(self, data: bytes) -> int:
        """Pass on what is left."""
        if self._left <= 0:
            with contextlib.suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)
            raise ConnectionAbortedError("fault")
        piece = data[: self._left]
        self._left -= len(piece)
        self._stream.write(piece)
        self._stream.flush()
        return len(data)

    def flush(self) -> None:
        """Each write is flushed."""

    def close(self) -> None:
        """Close the stream; the connection belongs to the server."""
        with contextlib.suppress(OSError):
            self._stream.close()
