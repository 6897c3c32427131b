"""Rows of ``tests/hostile/requests`` in, requests as bytes and headers out.

A body is a text, or a list of texts and of (text, how often); ``{…}`` in headers and on the wire stands
for what only this run knows, such as a signature.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SECRET = "canary-secret-of-the-hook"
OTHER = "canary-secret-of-another"
AFTER = "4bb71d674bc20617b13042dfcd1f64d75949cb69"
NUMBER = 7
HOOK = "a" * 24
PATH = f"/hooks/gitea/{HOOK}"

_DATA = Path(__file__).parents[1] / "hostile" / "requests"


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


@dataclass(frozen=True, kw_only=True)
class Row:
    """One delivery and its answer.

    :param drop: headers that are left out.
    :param planned: whether a plan is asked for.
    """

    row: str
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


@dataclass(frozen=True, kw_only=True)
class WireRow:
    """One request as bytes, and the status that it gets."""

    row: str
    name: str
    data: bytes
    status: int


def _bytes(said: Any) -> bytes:
    pieces = [said] if isinstance(said, str) else said
    whole = "".join(each if isinstance(each, str) else each[0] * each[1] for each in pieces)
    return whole.encode("utf-8", "surrogateescape")


def _filled(text: str) -> str:
    right = sign(push())
    known = {"SIGNATURE": right, "UPPER": right.upper(), "SHORT": right[:63], "HOOK": PATH}
    for name, value in {**known, "SIZE": str(len(push())), "PUSH": push().decode()}.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def _row(said: dict[str, Any]) -> Row:
    more: dict[str, Any] = {name: _bytes(said[name]) for name in ("body", "signed") if name in said}
    if said.get("secret"):
        more["secret"] = OTHER
    return Row(
        row=said["row"],
        name=said["name"],
        status=said["status"],
        says=said.get("says", ""),
        headers={name: _filled(value) for name, value in said.get("headers", {}).items()},
        drop=tuple(said.get("drop", ())),
        planned=said.get("planned", False),
        **more,
    )


def head(*lines: str, path: str = PATH, method: str = "POST") -> bytes:
    """A request's head with the headers of a correct delivery and these lines."""
    fixed = [
        f"{method} {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: application/json",
        "X-Gitea-Event: push",
        f"X-Gitea-Signature: {sign(push())}",
    ]
    return "\r\n".join([*fixed, *lines, "", ""]).encode("latin-1")


def _wire(said: dict[str, Any]) -> WireRow:
    lines = map(_filled, said["lines"])
    path, method = _filled(said.get("path", "{HOOK}")), said.get("method", "POST")
    data = head(*lines, path=path, method=method) + _filled(said.get("body", "")).encode()
    return WireRow(row=said["row"], name=said["name"], data=data, status=said["status"])


ROWS = [_row(said) for said in json.loads((_DATA / "deliveries.json").read_text("ascii"))]
WIRE = [_wire(said) for said in json.loads((_DATA / "wire.json").read_text("ascii"))]
