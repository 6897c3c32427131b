"""Messages of an MQTT broker (3.1.1): a persistent session, in which each is acknowledged once it is kept.

The broker keeps what comes while nobody reads, and sends again what was not acknowledged.
"""

from __future__ import annotations

import hashlib
import queue
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

from tea_runner.core.errors import OutsideError
from tea_runner.triggers.message import Message, SourceOptions, missing_library

_PATIENCE = 10.0
_PAUSE = 0.5
#: Messages that the broker sends before the first of them is acknowledged.
_IN_FLIGHT = 200


class Mqtt:
    """Messages of one topic, which may be a filter with ``+`` and ``#``."""

    def __init__(self, options: SourceOptions) -> None:
        self._options = options

    def messages(self, offset: str, stopped: Callable[[float], bool]) -> Iterator[Message]:
        """See :class:`~tea_runner.triggers.message.MessageSource`; the broker keeps the position."""
        del offset
        try:
            from paho.mqtt import client as mqtt
        except ImportError as error:
            raise missing_library("paho-mqtt") from error
        from paho.mqtt.enums import CallbackAPIVersion

        came: queue.Queue[Any] = queue.Queue()
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._session,
            clean_session=False,
            manual_ack=True,
            reconnect_on_failure=False,
        )
        client.max_inflight_messages_set(_IN_FLIGHT)
        _put_into(came, client)
        self._connect(client)
        client.loop_start()
        try:
            yield from self._read(client, came, stopped)
        finally:
            client.disconnect()
            client.loop_stop()

    @property
    def _session(self) -> str:
        """Id of the session: that of the trigger's address and topic."""
        about = f"{self._options.session}\0{self._options.stream}"
        return f"tea-runner-{hashlib.sha256(about.encode()).hexdigest()[:20]}"

    def _connect(self, client: Any) -> None:
        parts = urlsplit(self._options.url)
        user = self._options.variables.get("MQTT_USER")
        if user:
            client.username_pw_set(user, self._options.variables.get("MQTT_PASSWORD"))
        secure = parts.scheme == "mqtts"
        if secure:
            client.tls_set()
        try:
            client.connect(parts.hostname or "", parts.port or (8883 if secure else 1883))
        except (OSError, ValueError) as error:
            raise OutsideError(f"the broker does not answer: {type(error).__name__}") from error

    def _read(
        self, client: Any, came: queue.Queue[Any], stopped: Callable[[float], bool]
    ) -> Iterator[Message]:
        while not stopped(0):
            try:
                found = came.get(timeout=_PAUSE)
            except queue.Empty:
                continue
            if isinstance(found, OutsideError):
                raise found
            if found is None:
                client.subscribe(self._options.stream, qos=1)
                continue
            data = bytes(found.payload)
            too_large = len(data) > self._options.largest
            said = hashlib.sha256(found.topic.encode() + b"\0" + data).hexdigest()[:32]
            yield Message(
                # One that is sent again has the same number in the session.
                id=f"{found.mid}-{said}" if found.qos else said,
                offset="",
                data=b"" if too_large else data,
                refusal="the message is too large" if too_large else "",
            )
            # It is in the spool now, which outlasts this process.
            client.ack(found.mid, found.qos)


def _put_into(came: queue.Queue[Any], client: Any) -> None:
    """Have the thread of the library hand on messages, None for a connection, and errors."""

    def connected(_client: Any, _data: Any, _flags: Any, reason: Any, *_: Any) -> None:
        came.put(OutsideError(f"the broker declines: {reason}") if reason.is_failure else None)

    def disconnected(*_: Any) -> None:
        came.put(OutsideError("the broker has ended the connection"))

    client.on_message = lambda _client, _data, message: came.put(message)
    client.on_connect = connected
    client.on_disconnect = disconnected
