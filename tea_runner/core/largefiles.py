"""A file's attributes in; whether it belongs into the annex or into git out.

Rules: git-annex's "tips/largefiles" and git-annex(1), ``annex.largefiles``, ``annex.dotfiles``.
"""

from __future__ import annotations

from tea_runner.core.attributes import DEFAULT_BACKEND
from tea_runner.core.content import DIGEST_LENGTH


def simple(expression: str, path: str) -> bool | None:
    """Whether the file goes into the annex; None when the expression has to be evaluated.

    :param expression: value of ``annex.largefiles``, or ``unspecified``.
    """
    if expression in ("unspecified", "unset", "set", ""):
        # Files that begin with a dot are configuration to git-annex, unless it is told otherwise.
        return not any(part.startswith(".") for part in path.split("/"))
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
    """What libmagic's mime encoding would say, as far as rules ask: text or ``binary``."""
    if not head:
        return "binary"
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:
            return "binary"
        text = head[: error.start].decode("utf-8")
    if any(ord(c) < 32 and c not in "\n\r\t\f\b\x1b" for c in text):
        return "binary"
    return "us-ascii" if text.isascii() else "utf-8"
