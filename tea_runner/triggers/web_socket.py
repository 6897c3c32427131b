"""Messages of a websocket (RFC 6455): what comes while nobody reads is lost, as for every reader."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from uuid import uuid4

from tea_runner.core.errors import OutsideError
from tea_runner.triggers.message import Message, SourceOptions, missing_library

_CONNECT = 30.0
_PAUSE = 0.5
#: Bytes of a message that are read to find that it is too large.
_SLACK = 1 << 20


class WebSocket:
    """Messages of one address."""

    def __init__(self, options: SourceOptions) -> None:
        self._options = options

    def messages(self, offset: str, stopped: Callable[[float], bool]) -> Iterator[Message]:
        """See :class:`~tea_runner.triggers.message.MessageSource`; there is no position."""
        del offset
        try:
            from websockets.exceptions import WebSocketException
            from websockets.sync.client import connect
        except ImportError as error:
            raise missing_library("websockets") from error
        largest = self._options.largest
        try:
            with connect(
                self._options.url,
                additional_headers=self._options.headers,
                open_timeout=_CONNECT,
                max_size=largest + _SLACK,
                proxy=None,
            ) as connection:
                while not stopped(0):
                    try:
                        found = connection.recv(timeout=_PAUSE)
                    except TimeoutError:
                        continue
                    data = found.encode() if isinstance(found, str) else bytes(found)
                    too_large = len(data) > largest
                    yield Message(
                        id=uuid4().hex,
                        offset="",
                        data=b"" if too_large else data,
                        refusal="the message is too large" if too_large else "",
                    )
        except (WebSocketException, OSError) as error:
            raise OutsideError(f"the source does not answer: {type(error).__name__}") from error
