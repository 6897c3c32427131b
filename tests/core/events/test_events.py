"""Paths, proofs and positions of events."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from tea_runner.core.events.event import Event, EventFile, format_event, parse_event
from tea_runner.core.events.json_pointer import EventRefused, kept_bytes, resolve, scalar
from tea_runner.core.events.path_template import fill, template_problem
from tea_runner.core.events.sender_proof import SenderProof
from tea_runner.core.events.trigger import Trigger, trigger_problem
from tea_runner.core.events.trigger_position import (
    MOST_RECENT,
    TriggerPosition,
    format_message,
    format_position,
    parse_position,
    position_of_messages,
)
from tea_runner.core.results.run_record import parse_trailers


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a", "in/a.json"),
        ("../../etc", "in/%2E.%2F..%2Fetc.json"),
        (".git", "in/%2Egit.json"),
        ("a/b", "in/a%2Fb.json"),
        ("a%2Fb", "in/a%252Fb.json"),
        ("ä\n", "in/%C3%A4%0A.json"),
        ("\\", "in/%5C.json"),
    ],
)
def test_a_value_is_one_part_of_a_name(value: str, expected: str) -> None:
    """Whatever a stranger sends leads to no other folder, and different values stay different."""
    assert expected == fill("in/{id}.json", lambda _: value)


@pytest.mark.parametrize("value", ["", "spec.yml", "SPEC.JSON", "x" * 256, "spec.yml. "[:8]])
def test_names_with_a_meaning_are_refused(value: str) -> None:
    """No event becomes a pipeline file, and no part of a path is empty or too long."""
    with pytest.raises(EventRefused):
        fill("in/{id}", lambda _: value)


@pytest.mark.parametrize(
    "template",
    ["/a", "a//b", "../a", "a/{id", "{name}", "spec.yml", ".github/{id}", "a\\b", "", "{id}/.."],
)
def test_templates_that_lead_elsewhere_are_refused(template: str) -> None:
    """The operator is told when the settings are read."""
    assert template_problem(template)


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "a/b"},
        {"repository": "data"},
        {"branch": "git-annex"},
        {"branch": "tea/results/main"},
        {"branch": "pull/1"},
        {"folder": "code"},
        {"folder": "code/x"},
        {"folder": "/abs"},
        {"folder": "a/../b"},
        {"folder": ".datalad"},
        {"folder": "a/.git/x"},
        {"id": "x"},
        {"id": "header:"},
        {"keep": "x"},
        {"addresses": ("somewhere",)},
        {"kind": "http", "url": "https://ada:canary@example.org/feed"},
        {"kind": "nats", "url": "nats://canary@example.org", "stream": "orders"},
    ],
)
def test_triggers_that_would_write_elsewhere_are_refused(changes: dict[str, object]) -> None:
    """A trigger names a folder of data on a branch of people."""
    fixed: dict[str, object] = {"name": "a", "repository": "lab/data", "folder": "in"}
    assert not trigger_problem(Trigger(**fixed))  # type: ignore[arg-type]
    assert trigger_problem(Trigger(**{**fixed, **changes}))  # type: ignore[arg-type]


def test_pointers_find_what_they_name() -> None:
    """As in RFC 6901; a text is kept as it is, all else as JSON."""
    document = {"a": [{"b/c": "x", "~": 3}], "t": True}
    assert "x" == resolve(document, "/a/0/b~1c")
    assert "3" == scalar(document, "/a/0/~0")
    assert b"x" == kept_bytes(document, "/a/0/b~1c")
    assert b'[{"b/c": "x", "~": 3}]\n' == kept_bytes(document, "/a")
    for pointer in ("/b", "/a/1", "/a/x", "/t", "/a"):
        with pytest.raises(EventRefused):
            scalar(document, pointer)


def test_a_sender_shows_all_that_is_asked_for() -> None:
    """HMAC, token and address; without anything to show, nobody is accepted."""
    digest = hmac.new(b"s", b"body", hashlib.sha256).hexdigest()
    right = {"signature": f"sha256={digest}", "authorization": "Bearer t", "address": "10.1.2.3"}
    proof = SenderProof(secrets=("old", "s"), tokens=("t",), addresses=("10.0.0.0/8",))
    assert proof.holds(b"body", **right)
    assert proof.holds(b"body", **{**right, "signature": digest.upper()})
    assert proof.holds(b"body", **{**right, "address": "::ffff:10.1.2.3"})
    for wrong in (
        {"signature": ""},
        {"signature": "ä"},
        {"authorization": "t"},
        {"authorization": "Bearer "},
        {"authorization": "Bearer tt"},
        {"address": "11.0.0.1"},
        {"address": ""},
    ):
        assert not proof.holds(b"body", **{**right, **wrong})
    assert not proof.holds(b"other", **right)
    assert not SenderProof().holds(b"", signature="", authorization="", address="10.1.2.3")
    assert not SenderProof(secrets=("",)).holds(b"", signature="", authorization="", address="")
    assert "hidden" not in repr(SenderProof(secrets=("hidden",), tokens=("hidden",)))


def test_a_kept_event_is_read_back_whole_or_not_at_all() -> None:
    """A file that was cut off is no event."""
    event = Event(id="1\n2", received=7, offset="o", files=(EventFile(path="in/a", data=b"\n\0x"),))
    data = format_event(event)
    assert event == parse_event(data)
    for size in range(len(data)):
        with pytest.raises((ValueError, KeyError)):
            parse_event(data[:size])


def test_a_position_is_moved_by_events_and_told_by_messages() -> None:
    """The ref and the messages of the branch say the same; refused events may come again."""
    events = [Event(id=str(number), received=number, offset=f"o{number}") for number in range(3)]
    refused = Event(id="bad", received=4, offset="o4", refusal="no")
    after = TriggerPosition().after([*events, refused])
    assert ("o4", 3) == (after.offset, len(after.recent))
    assert after == parse_position(format_position(after))
    told = position_of_messages("t", [format_message("t", events, 3), "else\n"])
    assert after.recent == told.recent
    assert "o2" == told.offset
    assert TriggerPosition() == position_of_messages("u", [format_message("t", events, 3)])
    many = TriggerPosition().after([Event(id=str(n), received=0) for n in range(MOST_RECENT + 9)])
    assert MOST_RECENT == len(many.recent)
    for other in (b"", b"[]", b"{", b'{"version": 1, "offset": 3, "recent": []}', b"[" * 9999):
        assert parse_position(other) is None


def test_a_message_of_events_is_none_of_results() -> None:
    """Whatever an id holds, the commit has none of the trailers of a results commit."""
    event = Event(
        id="x\nTea-Input: " + "1" * 40 + "\n[skip ci]", received=0, offset="a\nTea-Key: 1"
    )
    message = format_message("t", [event], 1)
    assert {"Tea-Trigger", "Tea-Event", "Tea-Offset"} == set(parse_trailers(message))
    assert "\n[skip ci]" not in message


@pytest.mark.parametrize(
    ("kind", "fields", "problem"),
    [
        ("nats", {"url": "nats://h", "stream": "s"}, ""),
        ("nats", {"url": "tls://h", "stream": "s"}, ""),
        ("nats", {"url": "nats://h"}, "stream, the name"),
        ("nats", {"url": "https://h", "stream": "s"}, "url with nats:// or tls://"),
        ("mqtt", {"url": "mqtts://h", "stream": "a/+/#"}, ""),
        ("mqtt", {"stream": "a"}, "url, which messages"),
        ("mqtt", {"url": "tcp://h", "stream": "a"}, "url with mqtt:// or mqtts://"),
        ("websocket", {"url": "wss://h/x"}, ""),
        ("websocket", {"url": "https://h/x"}, "url with wss:// or ws://"),
        ("websocket", {"url": "ws://h/x", "stream": "s"}, "stream, the name"),
        ("sse", {"url": "wss://h/x"}, "url with https:// or http://"),
        ("kinesis", {"stream": "s"}, ""),
    ],
)
def test_each_kind_of_stream_says_what_it_needs(
    kind: str, fields: dict[str, str], problem: str
) -> None:
    """An address of its own kind, and the name of a stream where there are several."""
    said = trigger_problem(
        Trigger(name="a", repository="lab/data", folder="in", kind=kind, **fields)  # type: ignore[arg-type]
    )
    assert said.startswith(problem)
    assert bool(said) == bool(problem)
