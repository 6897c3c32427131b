"""Receipt of an event by HTTP: its sender is checked, and it is kept until it is committed.

No repository is read or written here, so that the sender has its answer at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any, Protocol

from tea_runner.core.errors import OutsideError, QueueError
from tea_runner.core.events.event import MOST_ID, Event, EventFile
from tea_runner.core.events.json_pointer import EventRefused, kept_bytes, read_json, scalar
from tea_runner.core.events.path_template import fill
from tea_runner.core.events.sender_proof import SenderProof
from tea_runner.core.events.trigger import HEADER, Trigger
from tea_runner.flow.receive_delivery import DeliveryAnswer, refuse
from tea_runner.ports import EventSpool, PlanRequests


class RequestHeaders(Protocol):
    """Case-insensitive headers of a request."""

    def get(self, name: str, default: str, /) -> str:
        """The header's value; repeated headers are joined by commas."""
        ...


def receive_event(
    trigger: Trigger,
    proof: SenderProof,
    headers: RequestHeaders,
    body: bytes,
    *,
    address: str,
    received: int,
    spool: EventSpool,
    requests: PlanRequests,
) -> DeliveryAnswer:
    """Check one request, and keep its event.

    :param address: of the other end of the connection.
    :param received: seconds since 1970.
    """
    proven = proof.holds(
        body,
        signature=headers.get(trigger.signature, ""),
        authorization=headers.get("Authorization", ""),
        address=address,
    )
    if not proven:
        return refuse(401, "the sender is not proven")
    try:
        event = read_event(trigger, headers, body, received)
    except EventRefused as error:
        told = sha256(body).hexdigest()
        event = Event(id=told, received=received, refusal=error.message)
    try:
        spool.put(trigger.name, event)
        if not event.refusal and trigger.kind == "webhook" and not trigger.folder:
            requests.request_plan(
                trigger.repository, trigger.ref, why=f"event of trigger {trigger.name}"
            )
    except QueueError:
        # The event is kept: the plan is requested when it is read again.
        pass
    except OutsideError as error:
        return DeliveryAnswer(http_status=503, outcome="failed", body={"error": error.message})
    if event.refusal:
        return refuse(422, event.refusal)
    return DeliveryAnswer(
        http_status=202, outcome="accepted", body={"status": "accepted", "event": event.digest}
    )


def read_event(trigger: Trigger, headers: RequestHeaders, body: bytes, received: int) -> Event:
    """The event of a request.

    :raises EventRefused: when the body has not what the trigger names.
    """
    document = _Body(body)
    digest = sha256(body).hexdigest()
    if trigger.kind != "webhook":
        # A notice brings nothing: it says that it is time to look at the source.
        return Event(id=digest, received=received)
    if trigger.id.startswith(HEADER):
        identity = headers.get(trigger.id.removeprefix(HEADER), "").strip()
        if not identity:
            raise EventRefused(f"the header {trigger.id.removeprefix(HEADER)} is missing")
    else:
        identity = scalar(document.read(), trigger.id) if trigger.id else digest
    if len(identity) > MOST_ID:
        raise EventRefused(f"the event's id is longer than {MOST_ID} characters")
    event = Event(id=identity, received=received)
    if not trigger.folder:
        return event
    data = kept_bytes(document.read(), trigger.keep) if trigger.keep else body
    return replace(event, files=(event_file(trigger, event, data, document.read),))


def event_file(
    trigger: Trigger, event: Event, data: bytes, document: Callable[[], Any]
) -> EventFile:
    """The file that an event becomes.

    :param document: returns its JSON, for pointers in the template of the path.
    :raises EventRefused: when the path cannot be that of a file of data.
    """
    when = time.gmtime(event.received)
    known = {
        "id": event.id,
        "received": time.strftime("%Y%m%dT%H%M%SZ", when),
        "year": time.strftime("%Y", when),
        "month": time.strftime("%m", when),
        "day": time.strftime("%d", when),
    }

    def value(name: str) -> str:
        if name == "digest":
            return sha256(data).hexdigest()
        return known[name] if name in known else scalar(document(), name)

    return EventFile(path=f"{trigger.folder}/{fill(trigger.path, value)}", data=data)


class _Body:
    """A body that is parsed at most once."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._document: tuple[Any] | None = None

    def read(self) -> Any:
        """The body as JSON.

        :raises EventRefused: when it is none.
        """
        if self._document is None:
            self._document = (read_json(self._body),)
        return self._document[0]
