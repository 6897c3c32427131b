"""JSON bodies of events, and JSON pointers into them (RFC 6901)."""

from __future__ import annotations

import json
from typing import Any

from tea_runner.core.errors import UserError


class EventRefused(UserError):
    """The event cannot be used as it was sent."""

    http_status = 422


def read_json(body: bytes) -> Any:
    """A body as JSON.

    :raises EventRefused: when it is none.
    """
    try:
        return json.loads(body)
    except RecursionError as error:
        raise EventRefused("the body is nested too deeply") from error
    except ValueError as error:
        raise EventRefused("the body is not JSON") from error


def resolve(document: Any, pointer: str) -> Any:
    """The value that a pointer names.

    :raises EventRefused: when there is none.
    """
    value = document
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and name in value:
            value = value[name]
        elif isinstance(value, list) and name.isascii() and name.isdigit() and len(name) < 10:
            if int(name) >= len(value):
                raise EventRefused(f"the body has nothing at {pointer}")
            value = value[int(name)]
        else:
            raise EventRefused(f"the body has nothing at {pointer}")
    return value


def scalar(document: Any, pointer: str) -> str:
    """The text or number that a pointer names, as text.

    :raises EventRefused: when it names something else.
    """
    value = resolve(document, pointer)
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise EventRefused(f"the body has neither a text nor a whole number at {pointer}")
    try:
        text = str(value)
        text.encode("utf-8")
    except (UnicodeEncodeError, ValueError) as error:
        raise EventRefused(f"the text at {pointer} is not valid Unicode") from error
    return text


def kept_bytes(document: Any, pointer: str) -> bytes:
    """What a pointer names, as a file: a text as it is, all else as JSON with a line end.

    :raises EventRefused: when there is nothing, or a text that is not valid Unicode.
    """
    value = resolve(document, pointer)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False) + "\n"
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise EventRefused(f"the text at {pointer} is not valid Unicode") from error
