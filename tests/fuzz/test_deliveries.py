"""Bodies and headers at random, correctly signed or not: always an answer, never a 5xx."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tea_runner.core.deliveries.registered_webhook import Webhook
from tea_runner.flow.receive_delivery import receive_delivery
from tests.fuzz import runs

_SECRET = "a secret of this test"
_HOOK = Webhook(
    id="x", forge="gitea", repository="lab/edges", repository_id=7, secrets=(_SECRET, "another one")
)
_GOOD: dict[str, Any] = {
    "ref": "refs/heads/main",
    "before": "1" * 40,
    "after": "2" * 40,
    "deleted": False,
    "repository": {"id": 7, "full_name": "lab/edges"},
}
_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*_GOOD, "id", "full_name", "x"]), inner, max_size=4)
    ),
    max_leaves=8,
)
_WORDS = st.sampled_from(
    [
        "refs/heads/../x",
        "refs/heads/-x",
        "refs/heads/a..b",
        "refs/tags/v1",
        "../../etc",
        "lab/edges",
        "A" * 10_000,
        "\ud800",
        "\0",
        "refs/heads/\n",
        "0" * 40,
        "F" * 40,
        "g" * 40,
        "refs/heads/x.lock",
    ],
)


class Kept:
    """What was asked to be planned."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def request_plan(self, repository: str, ref: str, *, why: str) -> None:
        """Keep it."""
        self.asked.append((repository, ref))


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """A good body with some fields replaced, any JSON, or any bytes; sometimes with bytes changed."""
    kind = draw(st.integers(0, 3))
    if kind == 0:
        return draw(st.binary(max_size=300))
    document = draw(_ANY) if kind == 1 else dict(_GOOD)
    if kind > 1 and isinstance(document, dict):
        for name in draw(st.lists(st.sampled_from(list(_GOOD)), max_size=2)):
            document[name] = draw(_ANY | _WORDS)
    data = json.dumps(document).encode()
    if kind == 3 and data:
        place = draw(st.integers(0, len(data) - 1))
        data = data[:place] + draw(st.binary(max_size=3)) + data[place + draw(st.integers(0, 3)) :]
    return data


@runs(300)
@given(
    bodies(),
    st.booleans(),
    st.sampled_from(["push", "create", "delete", "", "x", "ping\n"]),
    st.text(max_size=70),
)
def test_every_delivery_gets_an_answer(body: bytes, good: bool, event: str, other: str) -> None:
    """202 or a 4xx; what is asked for is the hook's own repository and a plain branch."""
    signature = hmac.new(_SECRET.encode(), body, hashlib.sha256).hexdigest() if good else other
    kept = Kept()
    headers = {"X-Gitea-Signature": signature, "X-Gitea-Event": event}
    answer = receive_delivery(_HOOK, headers, body, kept)
    assert answer.http_status in (202, 400, 401, 404)
    if not good:
        assert answer.http_status == 401
    for repository, ref in kept.asked:
        assert repository == "lab/edges"
        assert ref.startswith("refs/heads/")
        assert not set("\0\n ~^:?*[\\") & set(ref)
        assert ".." not in ref
    json.dumps(dict(answer.body)).encode("utf-8")
