"""Seals of results in refs: an HMAC that proves that a worker of this server stored them there."""

from __future__ import annotations

import hmac


def seal_result(secret: bytes, repository: str, ref: str, data: bytes) -> str:
    """HMAC-SHA256 that proves that a worker of this server stored this result under this ref."""
    parts = (repository.encode("utf-8", "surrogateescape"), ref.encode(), data)
    text = b"".join(b"%d:%s" % (len(part), part) for part in parts)
    return hmac.new(secret, b"tea-result\0" + text, "sha256").hexdigest()


def verify_result_seal(secret: bytes, repository: str, ref: str, data: bytes, proof: str) -> bool:
    """Whether *proof* is the seal of exactly this result under this ref."""
    expected = seal_result(secret, repository, ref, data)
    return hmac.compare_digest(expected.encode(), proof.encode("utf-8", "replace"))
