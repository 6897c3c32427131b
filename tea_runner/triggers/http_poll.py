"""An address that is asked again and again: each answer that differs from the last one is a message.

The server's ``ETag`` or ``Last-Modified`` is sent back, so that an unchanged answer costs it nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any

import requests

from tea_runner.core.errors import OutsideError
from tea_runner.triggers.message import Message, SourceOptions

_TIMEOUT = 60
_CHUNK = 1 << 16


class HttpPoll:
    """Messages of one address."""

    def __init__(self, options: SourceOptions) -> None:
        self._options = options

    def messages(self, offset: str, stopped: Callable[[float], bool]) -> Iterator[Message]:
        """See :class:`~tea_runner.triggers.message.MessageSource`."""
        while True:
            message = self._ask(offset)
            if message is not None:
                offset = message.offset
                yield message
            if stopped(self._options.every):
                return

    def _ask(self, offset: str) -> Message | None:
        last = _parse(offset)
        headers = self._options.headers
        if last.get("etag"):
            headers["If-None-Match"] = last["etag"]
        if last.get("modified"):
            headers["If-Modified-Since"] = last["modified"]
        try:
            with requests.get(
                self._options.url,
                headers=headers,
                timeout=_TIMEOUT,
                stream=True,
                allow_redirects=False,
            ) as answer:
                if answer.status_code == 304:
                    return None
                if answer.status_code != 200:
                    raise OutsideError(f"the source answers {answer.status_code}")
                data = bounded(answer, self._options.largest)
                etag = answer.headers.get("ETag", "")
                modified = answer.headers.get("Last-Modified", "")
        except requests.RequestException as error:
            raise OutsideError(f"the source does not answer: {type(error).__name__}") from error
        digest = sha256(data if data is not None else etag.encode()).hexdigest()
        if digest == last.get("digest"):
            return None
        number = int(last.get("number", 0)) + 1
        after = {"number": number, "etag": etag, "modified": modified, "digest": digest}
        return Message(
            # The same answer may come again after another one, and counts then.
            id=str(number),
            offset=json.dumps(after),
            data=data or b"",
            refusal="" if data is not None else "the answer is too large",
        )


def bounded(answer: requests.Response, largest: int) -> bytes | None:
    """The body of an answer; None when it is larger."""
    body = bytearray()
    for chunk in answer.iter_content(_CHUNK):
        body += chunk
        if len(body) > largest:
            return None
    return bytes(body)


def _parse(offset: str) -> dict[str, Any]:
    """An offset as it was made; nothing for another one."""
    try:
        found = json.loads(offset or "{}")
        number = int(found.get("number", 0))
        texts = {name: str(found.get(name, "")) for name in ("etag", "modified", "digest")}
    except (ValueError, TypeError, AttributeError):
        return {}
    # A header has no line end.
    return {"number": number, **{name: text.split("\n")[0] for name, text in texts.items()}}
