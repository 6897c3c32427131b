"""A file's attributes in; whether it belongs into the annex or into git out.

Rules: git-annex's "tips/largefiles" and git-annex(1), ``annex.largefiles``, ``annex.dotfiles``.
"""

from __future__ import annotations

from tea_runner.core.datums.content_identity import DIGEST_LENGTH
from tea_runner.core.git.annex_backend import DEFAULT_BACKEND

#: Bytes that occur in text; and what text of wider characters begins with.
_TEXT = bytes([*range(7, 14), 27, *range(32, 127), *range(128, 256)])
_MARKS = {
    b"\xff\xfe\0\0": "utf-32le",
    b"\0\0\xfe\xff": "utf-32be",
    b"\xff\xfe": "utf-16le",
    b"\xfe\xff": "utf-16be",
}


def simple(expression: str) -> bool | None:
    """Whether files go into the annex; None when the expression has to be evaluated.

    :param expression: value of ``annex.largefiles``, or ``unspecified``.
    """
    if expression in ("unspecified", "unset", "set", ""):
        # DataLad tells git-annex to take files that begin with a dot for files like any (annex.dotfiles).
        return True
    return {"anything": True, "nothing": False}.get(expression)


def backend(value: str, default: str) -> str:
    """The backend for a file whose ``annex.backend`` is *value*.

    A backend that is no hash of content, which a dataset may well ask for, is not used: two results
    would have one key.
    """
    wanted = default if value in ("unspecified", "unset", "set", "") else value
    name = wanted.removesuffix("E")
    return wanted if wanted in DIGEST_LENGTH or name in DIGEST_LENGTH else DEFAULT_BACKEND


def encoding(head: bytes) -> str:
    """What libmagic's mime encoding would say, as far as rules ask: text or ``binary``.

    Source: file(1), ``src/encoding.c``: text has none of the control characters that no text has.
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
        # The last character may be cut in two.
        if error.start < len(head) - 3:
            return "unknown-8bit"
    return "utf-8"
