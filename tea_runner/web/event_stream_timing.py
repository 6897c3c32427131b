"""One stream of server-sent events: when it looks again, says that it lives, and ends.

A stream costs a greenlet and a look each second.  It ends after an hour; browsers connect again by
themselves and say what they got last.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from flask import Response

from tea_runner.core.errors import NotFound, QueueError

#: Seconds between two looks, between two signs of life, and until a stream ends.
_PAUSE, _ALIVE, _LONGEST = 1.0, 15.0, 3600.0


@dataclass(frozen=True, kw_only=True)
class Look:
    """What one look found.

    :param text: events to send; empty for nothing new.
    :param last: name of the event that ends the stream; empty while it goes on.
    :param at_once: whether there is more to find now.
    """

    text: str = ""
    last: str = ""
    at_once: bool = False


def event(name: str, data: str = "", place: str = "") -> str:
    """One event.

    :param data: text without line ends.
    :param place: what a client sends when it connects again.
    """
    head = f"id: {place}\n" if place else ""
    return f"{head}event: {name}\ndata: {data}\n\n"


def stream(look: Callable[[], Look]) -> Response:
    """The response that looks until the end; what is gone has ended, and a silent Redis is no change."""
    response = Response(_events(look), mimetype="text/event-stream")
    response.headers["Cache-Control"] = "no-store"
    # Proxies such as nginx pass each event on at once.
    response.headers["X-Accel-Buffering"] = "no"
    return response


def _events(look: Callable[[], Look]) -> Iterator[str]:
    yield "retry: 3000\n\n"
    begun = alive = time.monotonic()
    while (now := time.monotonic()) - begun < _LONGEST:
        try:
            found = look()
        except NotFound:
            found = Look(last="end")
        except (QueueError, ValueError):
            found = Look()
        if found.text:
            alive = now
            yield found.text
        if found.last:
            yield event(found.last)
            return
        if now - alive > _ALIVE:
            alive = now
            yield ": alive\n\n"
        if not found.at_once:
            time.sleep(_PAUSE)
