"""Sources of messages, each on a server of its own: where they begin, and what they bring."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tea_runner.core.errors import OutsideError
from tea_runner.triggers.http_poll import HttpPoll
from tea_runner.triggers.message import SourceOptions
from tea_runner.triggers.server_sent_events import ServerSentEvents, parse
from tests.http_source import Source


@pytest.fixture
def source() -> Iterator[Source]:
    """A server that answers with an empty body."""
    made = Source()
    yield made
    made.close()


def stop_after(number: int) -> Any:
    """Stops at a look after so many."""
    looks = iter(range(number))
    return lambda _: next(looks, None) is None


def test_an_answer_that_changes_is_a_message(source: Source) -> None:
    """Also one that was there before another; an unchanged one is none, with an ETag or without."""
    options = SourceOptions(url=source.url, token="canary", every=0.0)
    poll = HttpPoll(options)
    offset, found = "", []
    for etag, body in [("a", b"1"), ("a", b"1"), ("b", b"2"), ("a", b"1"), ("", b"1"), ("", b"2")]:
        source.headers, source.body = ({"ETag": etag} if etag else {}), body
        for message in poll.messages(offset, stop_after(0)):
            offset = message.offset
            found.append((message.id, message.data))
    assert [("1", b"1"), ("2", b"2"), ("3", b"1"), ("4", b"2")] == found
    assert "Bearer canary" == source.asked[0]["authorization"]
    assert "canary" not in repr(options)


def test_a_poll_refuses_what_is_too_large_or_no_answer(source: Source) -> None:
    """An answer that is too large is passed over; redirects are not followed."""
    source.body = b"x" * 11
    (message,) = HttpPoll(SourceOptions(url=source.url, largest=10)).messages("", stop_after(0))
    assert ("the answer is too large", b"") == (message.refusal, message.data)
    source.status, source.headers = 302, {"Location": "http://127.0.0.1:1/"}
    with pytest.raises(OutsideError):
        list(HttpPoll(SourceOptions(url=source.url)).messages("", stop_after(0)))
    for offset in ("[]", "{", '{"number": "x"}'):
        source.status, source.headers, source.body = 200, {}, b"1"
        (message,) = HttpPoll(SourceOptions(url=source.url)).messages(offset, stop_after(0))
        assert "1" == message.id


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_a_stream_is_read_in_any_pieces(size: int, end: bytes) -> None:
    """Comments and unknown fields are no messages; an id stays until there is another one."""
    lines = [b":hello", b"id: 1", b"event: x", b"data: a", b"data:b", b"", b"", b"retry: 3", b""]
    lines += [b"id: 2", b"data:  c", b"", b"data: lost", b":end"]
    text = end.join(lines)
    pieces = iter([text[at : at + size] for at in range(0, len(text), size)])
    found = [(message.id, message.offset, message.data) for message in parse(pieces, "", 100)]
    assert [("1", "1", b"a\nb"), ("2", "2", b" c")] == found


def test_a_long_message_of_a_stream_is_passed_over() -> None:
    """Its line is not kept in memory; the next message is read."""
    pieces = iter([b"id: 1\ndata: ", *([b"x" * 1000] * 50), b"\n\nid: 2\ndata: y\n\n"])
    first, second = parse(pieces, "", 100)
    assert ("the message is too large", b"") == (first.refusal, first.data)
    assert b"y" == second.data


def test_a_stream_goes_on_after_the_last_message(source: Source) -> None:
    """The server is told its id; what is no stream is an error."""
    source.headers = {"Content-Type": "text/event-stream; charset=utf-8"}
    source.body = b"id: 7\ndata: x\n\n"
    (message,) = ServerSentEvents(SourceOptions(url=source.url)).messages("6", stop_after(9))
    assert ("7", b"x") == (message.id, message.data)
    assert "6" == source.asked[0]["last-event-id"]
    source.headers = {"Content-Type": "text/html"}
    with pytest.raises(OutsideError):
        list(ServerSentEvents(SourceOptions(url=source.url)).messages("", stop_after(0)))
