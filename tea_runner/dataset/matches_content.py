"""Comparison of a file's bytes with a content identity."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tea_runner.core.datums.content_identity import GIT, HASHLIB, Content
from tea_runner.core.errors import UserError


def has_content(file: Path, content: Content) -> bool:
    """Whether a file has this content.

    :raises OSError: when it cannot be read.
    :raises UserError: when Python does not have the hash algorithm.
    """
    size = file.stat().st_size
    if content.algorithm == GIT:
        # The id of a git blob: SHA-1 or, in repositories of that format, SHA-256.
        name = "sha1" if len(content.digest) == 40 else "sha256"
        return _digest(file, name, b"blob %d\0" % size) == content.digest
    name = HASHLIB.get(content.algorithm, content.algorithm.lower())
    if name not in hashlib.algorithms_available:
        raise UserError(
            f"its outputs have {content.algorithm} keys, which cannot be computed here",
            hint="use a backend such as SHA256E for what is to be verified",
        )
    return content.size == size and _digest(file, name) == content.digest


def _digest(file: Path, algorithm: str, head: bytes = b"") -> str:
    with file.open("rb") as stream:
        digest = hashlib.file_digest(
            stream, lambda: hashlib.new(algorithm, head, usedforsecurity=False)
        )
    return digest.hexdigest()
