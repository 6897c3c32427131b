"""Redaction of secrets in all encodings, also when chunks split them."""

from __future__ import annotations

import base64
from urllib.parse import quote

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tea_runner.core.redact import Redactor

_SECRETS = st.binary(min_size=8, max_size=60).filter(
    lambda s: len(s.strip()) >= 8 and b"*" not in s
)


def test_every_spelling_is_taken_out() -> None:
    """Raw, base64 of both alphabets, hex and percent-encoded: none of it is left."""
    secret = b"s3cr?t/with+odd&chars~"
    redactor = Redactor([secret])
    for text in (
        secret,
        base64.b64encode(secret),
        base64.urlsafe_b64encode(secret),
        secret.hex().encode(),
        secret.hex().upper().encode(),
        quote(secret, safe="").encode(),
        quote(secret).encode(),
    ):
        said = redactor.redact(b"before " + text + b" after")
        assert said.startswith(b"before ***"), said
        assert said.endswith(b" after")


@settings(max_examples=200, deadline=None)
@given(_SECRETS, st.binary(max_size=5), st.binary(max_size=5))
@example(b"secret-12", b"u:", b"\n")
def test_base64_of_a_text_around_a_secret_does_not_tell_it(
    secret: bytes, before: bytes, after: bytes
) -> None:
    """As in an Authorization header: what is encoded is more than the secret, at any place in it."""
    encoded = base64.b64encode(before + secret + after)
    said = Redactor([secret]).redact(encoded)
    assert b"***" in said
    assert len(said) <= len(encoded) - len(secret) + 3


@settings(max_examples=200, deadline=None)
@given(_SECRETS, st.lists(st.integers(1, 9), min_size=1, max_size=40))
@example(b"\0\0\0\0---0", [1])  # the end of its hex spelling is the beginning of it, too
@example(b"abcabcabcabd", [1])
def test_a_secret_cut_by_chunks_is_taken_out(secret: bytes, cuts: list[int]) -> None:
    """However the output of a command is cut, what is written in the end is the same."""
    text = b"log " + secret + b" and " + secret.hex().encode() + b" end"
    written: list[bytes] = []
    redactor = Redactor([secret])
    stream = redactor.stream(written.append)
    position = 0
    for cut in cuts * 40:
        stream.write(text[position : position + cut])
        position += cut
    stream.write(text[position:])
    stream.flush()
    assert not redactor.contains_secret(b"".join(written))
    assert b"".join(written).endswith(b" end") or secret in b" end"


def test_ordinary_text_is_left_alone_and_at_once() -> None:
    """Without a secret in sight nothing is changed, and nothing is held back."""
    written: list[bytes] = []
    stream = Redactor([b"correct horse"]).stream(written.append)
    for chunk in (b"10%\r", b"20%\r", b"\xff\x00\n", b"http://example.org/x\n"):
        stream.write(chunk)
    assert b"10%\r20%\r\xff\x00\nhttp://example.org/x\n" == b"".join(written)


def test_passwords_in_addresses_and_headers_are_taken_out_unknown() -> None:
    """``://user:word@`` and ``Authorization:`` are masked whatever stands there."""
    said = Redactor().redact_text(
        "https://me:hunter2@forge/x\nAuthorization: Basic bWU6aHVudGVyMg==\nok"
    )
    assert "https://***@forge/x\nAuthorization: ***\nok" == said


def test_short_secrets_do_not_eat_the_log() -> None:
    """What is too short to be told from words is not looked for."""
    assert "a banana" == Redactor([b"a", b"", b"ban"]).redact_text("a banana")
