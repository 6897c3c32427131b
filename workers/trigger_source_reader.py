"""Reads the messages of one source into the spool, in a thread.

It begins where git says that the source was read to, with nothing in the spool.  So a message is read again
only if it was not committed, and one that is read twice has the same id.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace

from tea_runner.core.errors import TeaError
from tea_runner.core.events.event import MOST_ID, Event
from tea_runner.core.events.json_pointer import EventRefused, kept_bytes, read_json
from tea_runner.core.events.trigger import Trigger
from tea_runner.flow.receive_event import event_file
from tea_runner.host.fault_point import reached
from tea_runner.ports import EventSpool
from tea_runner.triggers.message import Message, MessageSource

log = logging.getLogger(__name__)

_FIRST_WAIT, _LONGEST_WAIT = 1.0, 60.0


class StreamReader:
    """A thread that reads until it is closed.

    :param offset: where to begin.
    """

    def __init__(
        self, trigger: Trigger, source: MessageSource, offset: str, spool: EventSpool
    ) -> None:
        self._trigger = trigger
        self._source = source
        self._offset = offset
        self._spool = spool
        self._stop = threading.Event()
        #: What keeps it from reading now; empty for nothing.
        self.problem = ""
        self._thread = threading.Thread(
            target=self._read, name=f"trigger-{trigger.name}", daemon=True
        )
        self._thread.start()

    def _read(self) -> None:
        wait = _FIRST_WAIT
        while not self._stop.is_set():
            try:
                for message in self._source.messages(self._offset, self._stop.wait):
                    reached("message")
                    self._spool.put(
                        self._trigger.name, message_event(self._trigger, message, int(time.time()))
                    )
                    self._offset = message.offset or self._offset
                    self.problem, wait = "", _FIRST_WAIT
            except TeaError as error:
                self.problem = f"trigger {self._trigger.name}: {error.message}"
                log.warning("%s; next try in %g s", self.problem, wait)
                wait = min(wait * 2, _LONGEST_WAIT)
            except Exception as error:  # a library's own; the next try may go well
                self.problem = f"trigger {self._trigger.name}: {type(error).__name__}"
                log.warning("%s; next try in %g s", self.problem, wait, exc_info=error)
                wait = min(wait * 2, _LONGEST_WAIT)
            if self._stop.wait(wait):
                return

    def close(self) -> None:
        """Stop reading; a connection that is silent is left to the end of the process."""
        self._stop.set()
        self._thread.join(5)


def message_event(trigger: Trigger, message: Message, received: int) -> Event:
    """The event of a message.

    :param received: seconds since 1970.
    """
    event = Event(
        id=message.id[:MOST_ID], received=received, offset=message.offset, refusal=message.refusal
    )
    if event.refusal:
        return event
    try:
        data = message.data
        if trigger.keep:
            data = kept_bytes(read_json(data), trigger.keep)
        file = event_file(trigger, event, data, lambda: read_json(message.data))
    except EventRefused as error:
        return replace(event, refusal=error.message)
    return replace(event, files=(file,))
