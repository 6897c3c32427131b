"""From the request of any program to an event that is kept: the judgement without any web."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import replace

import pytest

from tea_runner.core.errors import OutsideError, QueueError
from tea_runner.core.events.event import Event
from tea_runner.core.events.sender_proof import SenderProof
from tea_runner.core.events.trigger import Trigger
from tea_runner.flow.receive_delivery import DeliveryAnswer
from tea_runner.flow.receive_event import receive_event
from tests.twins.queue import MemoryPlanRequests

PROOF = SenderProof(secrets=("s",))
#: Seconds since 1970 of a second in 2026.
RECEIVED = 1_780_000_000
KEPT = Trigger(
    name="orders",
    repository="lab/data",
    folder="raw/orders",
    path="{year}/{/order/id}.json",
    keep="/order",
    id="header:X-Event",
)


class Spool:
    """What was kept."""

    def __init__(self, *, full: bool = False) -> None:
        self.kept: list[Event] = []
        self._full = full

    def put(self, trigger: str, event: Event) -> None:
        """Keep it."""
        if self._full:
            raise OutsideError(f"too many events of trigger {trigger} wait")
        self.kept.append(event)


def send(
    trigger: Trigger,
    body: bytes,
    headers: Mapping[str, str] | None = None,
    *,
    spool: Spool,
    requests: MemoryPlanRequests | None = None,
    secret: str = "s",
) -> DeliveryAnswer:
    """A signed request."""
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    sent = {"X-Hub-Signature-256": f"sha256={signature}", **(headers or {})}
    return receive_event(
        trigger,
        PROOF,
        sent,
        body,
        address="192.0.2.1",
        received=RECEIVED,
        spool=spool,
        requests=requests or MemoryPlanRequests(),
    )


def test_an_event_becomes_a_file_of_the_operators_folder() -> None:
    """Named by the template, with the part of the body that is kept; its id is the header's."""
    spool = Spool()
    body = json.dumps({"order": {"id": 7, "of": "mice"}, "more": 1}).encode()
    answer = send(KEPT, body, {"X-Event": "e-1"}, spool=spool)

    (event,) = spool.kept
    (file,) = event.files
    assert (202, "accepted", event.digest) == (
        answer.http_status,
        answer.outcome,
        answer.body["event"],
    )
    assert ("e-1", "raw/orders/2026/7.json") == (event.id, file.path)
    assert {"id": 7, "of": "mice"} == json.loads(file.data)


@pytest.mark.parametrize("identity", ["", "/order/id"])
def test_a_request_that_somebody_repeats_is_the_same_event(identity: str) -> None:
    """Whatever its headers are: the id is part of what the signature covers, and names the file."""
    spool = Spool()
    trigger = replace(KEPT, id=identity, path="{id}.json")
    body = json.dumps({"order": {"id": 7}}).encode()
    for header in ("e-1", "e-2"):
        assert 202 == send(trigger, body, {"X-Event": header}, spool=spool).http_status
    first, again = spool.kept
    assert (first.digest, first.files) == (again.digest, again.files)
    changed = body.replace(b"7", b"8")
    signature = "sha256=" + hmac.new(b"s", body, hashlib.sha256).hexdigest()
    refused = send(trigger, changed, {"X-Hub-Signature-256": signature}, spool=spool)
    assert (401, 2) == (refused.http_status, len(spool.kept))


def test_an_event_without_a_folder_asks_for_a_plan() -> None:
    """And is kept as well, for the list of events."""
    spool, asked = Spool(), MemoryPlanRequests()
    trigger = Trigger(name="go", repository="lab/data")
    send(trigger, b"anything", spool=spool, requests=asked)

    assert {("lab/data", "main"): "event of trigger go"} == asked.requested
    assert [hashlib.sha256(b"anything").hexdigest()] == [each.id for each in spool.kept]


def test_a_notice_of_a_source_brings_nothing_itself() -> None:
    """It says that it is time to look."""
    spool, asked = Spool(), MemoryPlanRequests()
    trigger = Trigger(
        name="bucket", kind="objects", repository="lab/data", folder="raw", storage="store"
    )
    answer = send(trigger, b'{"Records": []}', spool=spool, requests=asked)

    assert (202, {}) == (answer.http_status, asked.requested)
    assert [()] == [each.files for each in spool.kept]


def test_a_sender_without_proof_is_refused_and_nothing_is_kept() -> None:
    """Before its body is read."""
    spool = Spool()
    answer = send(KEPT, b"{", spool=spool, secret="t")

    assert (401, []) == (answer.http_status, spool.kept)


@pytest.mark.parametrize(
    ("body", "headers", "said"),
    [
        (b'{"order": {"id": 1}}', {}, "the header X-Event is missing"),
        (b'{"order": {"id": 1}}', {"X-Event": "e" * 501}, "longer than 500 characters"),
        (b'{"order": {}}', {"X-Event": "e"}, "nothing at /order/id"),
        (b'{"order": {"id": ""}}', {"X-Event": "e"}, "/order/id for the file's path is empty"),
        (b"no JSON", {"X-Event": "e"}, "not JSON"),
    ],
)
def test_an_event_that_cannot_be_used_is_refused_with_its_reason(
    body: bytes, headers: Mapping[str, str], said: str
) -> None:
    """The refusal is kept, without the body."""
    spool = Spool()
    answer = send(KEPT, body, headers, spool=spool)
    (event,) = spool.kept

    assert (422, ()) == (answer.http_status, event.files)
    assert said in event.refusal


def test_a_full_spool_asks_the_sender_to_try_again() -> None:
    """Nothing is lost: the sender knows that it was not kept."""
    answer = send(Trigger(name="go", repository="lab/data"), b"x", spool=Spool(full=True))

    assert (503, "failed") == (answer.http_status, answer.outcome)


def test_an_event_is_kept_although_redis_does_not_answer() -> None:
    """The plan is asked for when it is read again."""

    class Silent(MemoryPlanRequests):
        def request_plan(self, repository: str, ref: str, *, why: str) -> None:
            raise QueueError("Redis does not answer")

    spool = Spool()
    answer = send(Trigger(name="go", repository="lab/data"), b"x", spool=spool, requests=Silent())

    assert (202, 1) == (answer.http_status, len(spool.kept))
