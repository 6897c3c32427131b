"""Inputs for the receiver as data: each row of the threat model's list with the answer it gets."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass, field
from typing import Any

SECRET = "canary-secret-of-the-hook"
OTHER = "canary-secret-of-another"
AFTER = "4bb71d674bc20617b13042dfcd1f64d75949cb69"
NUMBER = 7


def sign(body: bytes, secret: str = SECRET) -> str:
    """The signature that Gitea would send."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def push(**changes: Any) -> bytes:
    """A correct push of ``lab/edges``, with some fields changed."""
    said: dict[str, Any] = {
        "ref": "refs/heads/main",
        "before": "1" * 40,
        "after": AFTER,
        "repository": {"id": NUMBER, "full_name": "lab/edges"},
    }
    return json.dumps({**said, **changes}).encode()


def repository(**changes: Any) -> dict[str, Any]:
    """The repository of a push, with some fields changed."""
    return {"id": NUMBER, "full_name": "lab/edges", **changes}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One input and its answer.

    :param drop: headers that are left out.
    :param planned: whether a plan is asked for.
    """

    row: int
    name: str
    status: int
    body: bytes = field(default_factory=push)
    says: str = ""
    signed: bytes | None = None
    secret: str = SECRET
    headers: dict[str, str] = field(default_factory=dict)
    drop: tuple[str, ...] = ()
    planned: bool = False

    def sent(self) -> dict[str, str]:
        """The headers as they go out."""
        signature = sign(self.body if self.signed is None else self.signed, self.secret)
        headers = {
            "Content-Type": "application/json",
            "X-Gitea-Event": "push",
            "X-Gitea-Delivery": "2376f7e3-7ada-4b7c-850f-c7d732f11d53",
            "X-Gitea-Signature": signature,
            **self.headers,
        }
        return {name: value for name, value in headers.items() if name not in self.drop}


def _nested() -> bytes:
    return b'{"ref": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"


_SPACED = push().replace(b'": "', b'":  "', 1)
_RIGHT = sign(push())
_NO_FIT = "the signature does not fit"

ROWS = [
    Row(row=0, name="a correct push", status=202, says="accepted", planned=True),
    Row(row=4, name="signed with another secret", status=401, secret=OTHER, says=_NO_FIT),
    Row(row=5, name="upper case", status=401, headers={"X-Gitea-Signature": _RIGHT.upper()}),
    Row(row=5, name="prefixed", status=401, headers={"X-Gitea-Signature": "sha256=" + _RIGHT}),
    Row(row=5, name="63 digits", status=401, headers={"X-Gitea-Signature": _RIGHT[:63]}),
    Row(row=5, name="65 digits", status=401, headers={"X-Gitea-Signature": _RIGHT + "0"}),
    Row(row=5, name="empty", status=401, headers={"X-Gitea-Signature": ""}, says=_NO_FIT),
    Row(row=5, name="missing", status=401, drop=("X-Gitea-Signature",), says=_NO_FIT),
    Row(row=6, name="not ASCII", status=401, headers={"X-Gitea-Signature": "é" * 64}),
    Row(row=8, name="SHA-1 only", status=401, drop=("X-Gitea-Signature",),
        headers={"X-Hub-Signature": "sha1=" + "0" * 40}),
    Row(row=9, name="one space more", status=401, body=push() + b" ", signed=push()),
    Row(row=10, name="serialised again", status=401, body=_SPACED, signed=push()),
    Row(row=16, name="compressed", status=415, headers={"Content-Encoding": "gzip"}),
    Row(row=17, name="form", status=415, body=b"payload=%7B%7D",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        says="set the hook's content type to application/json"),
    Row(row=17, name="no content type", status=415, drop=("Content-Type",)),
    Row(row=18, name="event issues", status=202, headers={"X-Gitea-Event": "issues"},
        says="ignored: event"),
    Row(row=18, name="event ping", status=202, headers={"X-Gitea-Event": "ping"},
        says="ignored: event"),
    Row(row=18, name="event fork", status=202, headers={"X-Gitea-Event": "fork"},
        says="ignored: event"),
    Row(row=18, name="no event", status=202, drop=("X-Gitea-Event",), says="ignored: event"),
    Row(row=20, name="empty body", status=400, body=b"", says="not a push event"),
    Row(row=20, name="null", status=400, body=b"null", says="not a push event"),
    Row(row=20, name="list", status=400, body=b"[]", says="not a push event"),
    Row(row=20, name="text", status=400, body=b'"x"', says="not a push event"),
    Row(row=20, name="number", status=400, body=b"1", says="not a push event"),
    Row(row=21, name="100,000 lists in lists", status=400, body=_nested()),
    Row(row=22, name="5,000 digits", status=400, body=b'{"ref": ' + b"9" * 5000 + b"}"),
    Row(row=22, name="NaN", status=400, body=b'{"ref": NaN}'),
    Row(row=24, name="ref twice", status=400, says="duplicate key",
        body=push().replace(b'"ref"', b'"ref": "refs/heads/x", "ref"', 1)),
    Row(row=25, name="UTF-16", status=400, body=push().decode().encode("utf-16")),
    Row(row=25, name="byte order mark", status=400, body=b"\xef\xbb\xbf" + push()),
    Row(row=25, name="invalid UTF-8", status=400, body=push().replace(b"main", b"m\xffin")),
    Row(row=25, name="lone surrogate", status=400, body=push(ref="refs/heads/\ud800")),
    Row(row=25, name="NUL in ref", status=400, body=push(ref="refs/heads/a\0b")),
    Row(row=26, name="ref null", status=400, body=push(ref=None), says="ref:"),
    Row(row=26, name="ref number", status=400, body=push(ref=1), says="ref:"),
    Row(row=26, name="ref list", status=400, body=push(ref=["x"]), says="ref:"),
    Row(row=26, name="ref of 1 MB", status=400, body=push(ref="refs/heads/" + "a" * 2**20),
        says="ref:"),
    Row(row=26, name="repository missing", status=400, body=push(repository=None),
        says="repository:"),
    Row(row=26, name="id a text", status=400, body=push(repository=repository(id="7")),
        says="repository.id:"),
    Row(row=28, name="ref climbs", status=400, body=push(ref="refs/heads/../../x")),
    Row(row=28, name="ref with dots", status=400, body=push(ref="refs/heads/a..b")),
    Row(row=28, name="ref of a lock", status=400, body=push(ref="refs/heads/a.lock")),
    Row(row=29, name="tag", status=202, body=push(ref="refs/tags/v1"), says="ignored"),
    Row(row=29, name="pull", status=202, body=push(ref="refs/pull/1/head"), says="ignored"),
    Row(row=29, name="git-annex", status=202, body=push(ref="refs/heads/git-annex"),
        says="ignored"),
    Row(row=29, name="synced", status=202, body=push(ref="refs/heads/synced/x"), says="ignored"),
    Row(row=30, name="after 39", status=400, body=push(after="a" * 39), says="after:"),
    Row(row=30, name="after 41", status=400, body=push(after="a" * 41), says="after:"),
    Row(row=30, name="after upper", status=400, body=push(after="A" * 40), says="after:"),
    Row(row=30, name="after no hex", status=400, body=push(after="g" * 40), says="after:"),
    Row(row=32, name="after unknown", status=202, body=push(after="f" * 40), planned=True),
    Row(row=33, name="nothing moved", status=202, body=push(before=AFTER), says="ignored: a test"),
    Row(row=34, name="another repository", status=404,
        body=push(repository=repository(full_name="lab/other"))),
    Row(row=34, name="another id", status=404, body=push(repository=repository(id=8))),
    Row(row=34, name="no id", status=404, body=push(repository={"full_name": "lab/edges"})),
    *(
        Row(row=36, name=url, status=202, planned=True,
            body=push(repository=repository(clone_url=url, ssh_url=url)))
        for url in ("https://evil.example/x.git", "file:///etc", "ext::sh -c id",
                    "ssh://-oProxyCommand=id/x", "https://user:pass@evil.example/x.git")
    ),
    *(
        Row(row=37, name=repr(name[:20]), status=404,
            body=push(repository=repository(full_name=name)))
        for name in ("../../etc", "lab/edges\n", "lab/" + "e" * 10_000, "lab", "")
    ),
    Row(row=38, name="100,000 commits", status=202, planned=True,
        body=push(commits=[{"id": AFTER, "added": ["f"]}] * 100_000)),
    Row(row=40, name="hostile texts", status=202, planned=True,
        body=push(commits=[{"message": "<script>\x1b[31m" + "x" * 2**20}],
                  pusher={"login": "<script>"})),
    Row(row=29, name="branch left out", status=202, body=push(ref="refs/heads/private/x"),
        says="ignored: a branch that the settings leave out"),
]  # fmt: skip
