"""Digest of the git attributes that decide how a datum's outputs are stored.

Two directories with equal digests store the same outputs in the same form: in the annex or in git,
and with which backend.  So a known result can be copied without its content.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple


class OutputAttributes(NamedTuple):
    """One output and the attributes of its path."""

    #: Path below the datum's directory.
    path: str
    #: Path in the dataset.
    full: str
    #: Value of ``annex.largefiles``, or ``unspecified``.
    expression: str
    #: The backend of its key, if it is annexed.
    backend: str


def attributes_digest(judged: Iterable[OutputAttributes]) -> str:
    """16 hex digits; equal if the same outputs would be stored in the same form."""
    parts = []
    for item in sorted(judged):
        words = [item.path, item.expression, item.backend, _by_path(item)]
        parts += [word.encode("utf-8", "surrogateescape") for word in words]
    text = b"".join(b"%d:%s" % (len(part), part) for part in parts)
    return hashlib.sha256(text).hexdigest()[:16]


def _by_path(item: OutputAttributes) -> str:
    """The path, if the rule depends on it; most rules depend on the content, or on nothing."""
    expression = item.expression
    if "include=" in expression or "exclude=" in expression:
        return item.full
    return ""


def needs_content(expression: str) -> bool:
    """Whether the rule depends on more than a file's size and name."""
    return "mime" in expression
