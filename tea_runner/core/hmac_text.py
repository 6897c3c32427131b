"""Texts in Redis that only holders of the queue's key can make."""

from __future__ import annotations

import hmac
import json
from typing import Any


def seal_fields(kind: str, fields: dict[str, Any], secret: bytes) -> str:
    """Fields as JSON text with an HMAC (RFC 2104, SHA-256).

    :param kind: what it is; a text of another kind is not accepted in its place.
    """
    body = json.dumps(fields, sort_keys=True)
    return json.dumps({"body": body, "mac": _mac(kind, body, secret)})


def unseal_fields(kind: str, text: str | bytes, secret: bytes) -> dict[str, Any] | None:
    """The fields of a sealed text; None when nobody with this secret sealed it as this kind."""
    try:
        document: Any = json.loads(text)
        body = str(document["body"])
        if not hmac.compare_digest(
            _mac(kind, body, secret).encode(), str(document["mac"]).encode()
        ):
            return None
        fields = json.loads(body)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return fields if isinstance(fields, dict) else None


def _mac(kind: str, body: str, secret: bytes) -> str:
    text = f"{kind}\n{body}".encode("utf-8", "surrogateescape")
    return hmac.new(secret, text, "sha256").hexdigest()
