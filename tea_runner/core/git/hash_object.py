"""Git's ids of objects, computed from their data (gitformat-loose(5))."""

from __future__ import annotations

import hashlib


def object_id(kind: str, data: bytes, digits: int = 40) -> str:
    """The id of an object.

    :param kind: ``blob``, ``tree`` or ``commit``.
    :param digits: 40 for SHA-1; 64 for a repository with SHA-256.
    """
    text = b"%s %d\0%s" % (kind.encode(), len(data), data)
    if digits == 64:
        return hashlib.sha256(text).hexdigest()
    return hashlib.sha1(text, usedforsecurity=False).hexdigest()
