"""A stream of NATS JetStream: its messages by their sequence numbers, without a consumer on the server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

from tea_runner.core.errors import OutsideError
from tea_runner.triggers.message import Message, SourceOptions, missing_library

#: Seconds between two looks for new messages, and to wait for an answer.
_PAUSE, _PATIENCE = 0.5, 10.0


class NatsStream:
    """Messages of one stream."""

    def __init__(self, options: SourceOptions) -> None:
        self._options = options

    def messages(self, offset: str, stopped: Callable[[float], bool]) -> Iterator[Message]:
        """See :class:`~tea_runner.triggers.message.MessageSource`."""
        try:
            import nats
            from nats.errors import Error
        except ImportError as error:
            raise missing_library("nats-py") from error
        loop = asyncio.new_event_loop()
        try:
            client = loop.run_until_complete(
                nats.connect(
                    self._options.url,
                    token=self._options.token or None,
                    user=self._options.variables.get("NATS_USER"),
                    password=self._options.variables.get("NATS_PASSWORD"),
                    allow_reconnect=False,
                    connect_timeout=int(_PATIENCE),
                    error_cb=_silent,
                )
            )
            try:
                yield from self._read(loop, client.jetstream(timeout=_PATIENCE), offset, stopped)
            finally:
                loop.run_until_complete(client.close())
        except (Error, OSError, TimeoutError) as error:
            raise OutsideError(f"the stream does not answer: {type(error).__name__}") from error
        finally:
            loop.close()

    def _read(
        self,
        loop: asyncio.AbstractEventLoop,
        stream: Any,
        offset: str,
        stopped: Callable[[float], bool],
    ) -> Iterator[Message]:
        from nats.js.errors import NotFoundError

        name = self._options.stream
        last = int(offset) if offset.isdecimal() else 0
        about = loop.run_until_complete(stream.stream_info(name))
        if about.state.last_seq < last:
            raise OutsideError(
                f"stream {name} ends at message {about.state.last_seq}, and {last} were read",
                hint="it was made anew; give the trigger another name to read it from its beginning",
            )
        while not stopped(0):
            try:
                found = loop.run_until_complete(
                    stream.get_msg(name, seq=last + 1, subject=">", next=True)
                )
            except NotFoundError:
                if stopped(_PAUSE):
                    return
                continue
            last = int(found.seq)
            data = found.data or b""
            too_large = len(data) > self._options.largest
            yield Message(
                id=str(last),
                offset=str(last),
                data=b"" if too_large else data,
                refusal="the message is too large" if too_large else "",
            )


async def _silent(_: Exception) -> None:
    """Nothing: the next call says what is wrong."""
