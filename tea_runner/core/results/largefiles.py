"""Decide whether a file goes into the annex or into git.

Rules: git-annex's "tips/largefiles" and git-annex(1), ``annex.largefiles``, ``annex.dotfiles``.
"""

from __future__ import annotations

from tea_runner.core.datums.content_identity import DIGEST_LENGTH
from tea_runner.core.git.configured_backend import DEFAULT_BACKEND

#: Bytes that occur in text (file(1)), and byte order marks of wider encodings.
_TEXT = bytes([*range(7, 14), 27, *range(32, 127), *range(128, 256)])
_MARKS = {
    b"\xff\xfe\0\0": "utf-32le",
    b"\0\0\xfe\xff": "utf-32be",
    b"\xff\xfe": "utf-16le",
    b"\xfe\xff": "utf-16be",
}


def simple(expression: str) -> bool | None:
    """Whether all files go into the annex; None if the expression depends on the file.

    :param expression: value of ``annex.largefiles``, or ``unspecified``.
    """
    if expression in ("unspecified", "unset", "set", ""):
        # DataLad sets annex.dotfiles, so dotfiles are no exception.
        return True
    return {"anything": True, "nothing": False}.get(expression)


def backend(value: str, default: str) -> str:
    """The backend for a file whose ``annex.backend`` is *value*.

    Backends without a hash of the content are replaced by the default: with them two different results
    could have the same key.
    """
    wanted = default if value in ("unspecified", "unset", "set", "") else value
    name = wanted.removesuffix("E")
    return wanted if wanted in DIGEST_LENGTH or name in DIGEST_LENGTH else DEFAULT_BACKEND


def encoding(head: bytes) -> str:
    """The mime encoding that libmagic reports, as far as rules need it: of text, or ``binary``.

    Source: file(1), ``src/encoding.c``: text has no control characters but those of ``_TEXT``.
    """
    if not head:
        return "binary"
    for mark, name in _MARKS.items():
        if head.startswith(mark):
            text = head[: len(head) - len(head) % len(mark)].decode(name, "replace")
            if not any(ord(c) < 128 and ord(c) not in _TEXT for c in text[1:]):
                return name
    if head.translate(None, _TEXT):
        return "binary"
    if head.isascii():
        return "us-ascii"
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        # The last character may be incomplete.
        if error.start < len(head) - 3:
            return "unknown-8bit"
    return "utf-8"
