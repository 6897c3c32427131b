"""Server-sent events (HTML Standard, 9.2): one connection, on which messages come as they happen.

The server is told the id of the last message that was kept, and goes on after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from uuid import uuid4

import requests
import urllib3

from tea_runner.core.errors import OutsideError
from tea_runner.triggers.message import Message, SourceOptions

#: Seconds without a byte after which a connection counts as lost; servers send comments meanwhile.
_SILENCE = 120
_CONNECT = 30
_CHUNK = 1 << 16


class ServerSentEvents:
    """Messages of one address."""

    def __init__(self, options: SourceOptions) -> None:
        self._options = options

    def messages(self, offset: str, stopped: Callable[[float], bool]) -> Iterator[Message]:
        """See :class:`~tea_runner.triggers.message.MessageSource`."""
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
        headers |= self._options.headers
        if offset:
            headers["Last-Event-ID"] = offset
        try:
            with requests.get(
                self._options.url,
                headers=headers,
                timeout=(_CONNECT, _SILENCE),
                stream=True,
                allow_redirects=False,
            ) as answer:
                kind = answer.headers.get("Content-Type", "").partition(";")[0].strip()
                if answer.status_code != 200 or kind != "text/event-stream":
                    raise OutsideError(f"the source answers {answer.status_code} {kind[:50]}")
                for message in parse(_chunks(answer), offset, self._options.largest):
                    if stopped(0):
                        return
                    yield message
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise OutsideError(f"the source does not answer: {type(error).__name__}") from error


def _chunks(answer: requests.Response) -> Iterator[bytes]:
    """What has come, as it comes: without waiting for a certain size."""
    while chunk := answer.raw.read1(_CHUNK, decode_content=True):
        yield chunk


def parse(chunks: Iterator[bytes], last: str, largest: int) -> Iterator[Message]:
    """Messages of a stream.

    :param last: id of the last message before.
    """
    data: list[bytes] = []
    size = 0
    named = False
    for line in _lines(chunks, largest):
        if not line:
            if data or size:
                too_large = size > largest
                yield Message(
                    id=last if named else uuid4().hex,
                    offset=last,
                    data=b"" if too_large else b"\n".join(data),
                    refusal="the message is too large" if too_large else "",
                )
            data, size, named = [], 0, False
            continue
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            size += len(value) + 1
            if size <= largest:
                data.append(value)
        elif name == b"id" and b"\0" not in value:
            last, named = value.decode("utf-8", "replace"), True


def _lines(chunks: Iterator[bytes], largest: int) -> Iterator[bytes]:
    """Lines of a stream, which end with any of the three line ends; the rest of long ones is left out."""
    rest = b""
    for chunk in chunks:
        text = rest + chunk
        # What follows a carriage return says whether it is a line end of its own.
        held = b"\r" if text.endswith(b"\r") else b""
        text = text.removesuffix(b"\r").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *whole, rest = text.split(b"\n")
        yield from whole
        # Of a line that is longer than any message counts only that it is.
        rest = rest[: largest + 100] + held
