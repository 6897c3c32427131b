"""How attributes judge a datum's outputs in, a digest out that tells whether another place is the same.

Two places with one digest save the same outputs in the same form: what belongs into the annex, and
under which backend's keys.  So a known result can be copied without a look at its content.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple


class OutputAttributes(NamedTuple):
    """One output and the attributes of the path where it goes."""

    #: Path below the datum's directory.
    path: str
    #: Path in the dataset.
    full: str
    #: Value of ``annex.largefiles``, or ``unspecified``.
    expression: str
    #: The backend of its key, should it be annexed.
    backend: str


def attributes_digest(judged: Iterable[OutputAttributes]) -> str:
    """16 hex digits; equal where the same outputs would be saved in the same way."""
    parts = []
    for item in sorted(judged):
        words = [item.path, item.expression, item.backend, _by_path(item)]
        parts += [word.encode("utf-8", "surrogateescape") for word in words]
    text = b"".join(b"%d:%s" % (len(part), part) for part in parts)
    return hashlib.sha256(text).hexdigest()[:16]


def _by_path(item: OutputAttributes) -> str:
    """What the place itself decides; most rules look at the content, or at nothing."""
    expression = item.expression
    if "include=" in expression or "exclude=" in expression:
        return item.full
    return ""


def needs_content(expression: str) -> bool:
    """Whether the size and the name of a file are not enough to judge it."""
    return "mime" in expression
