"""Kinds of sources whose messages are read from a position, by the word in the settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tea_runner.triggers.http_poll import HttpPoll
from tea_runner.triggers.kinesis import Kinesis
from tea_runner.triggers.message import MessageSource, SourceOptions
from tea_runner.triggers.mqtt import Mqtt
from tea_runner.triggers.nats_stream import NatsStream
from tea_runner.triggers.server_sent_events import ServerSentEvents
from tea_runner.triggers.web_socket import WebSocket

__all__ = ["SOURCES", "SourceOptions"]

SOURCES: Mapping[str, Callable[[SourceOptions], MessageSource]] = {
    "http": HttpPoll,
    "sse": ServerSentEvents,
    "kinesis": Kinesis,
    "nats": NatsStream,
    "mqtt": Mqtt,
    "websocket": WebSocket,
}
