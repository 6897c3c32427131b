"""Protocol of the place where events wait until they are committed."""

from __future__ import annotations

from typing import Protocol

from tea_runner.core.events.event import Event


class EventSpool(Protocol):
    """Events that wait, by trigger."""

    def put(self, trigger: str, event: Event) -> None:
        """Keep an event so that it outlasts a loss of power.

        :raises OutsideError: when it cannot be kept, or too many wait.
        """
        ...
