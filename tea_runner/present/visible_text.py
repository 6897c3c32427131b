"""Escape control and invisible characters of untrusted text."""

from __future__ import annotations

import re

#: Control characters, changes of the writing direction, invisible separators, and bytes that are
#: not UTF-8 (decoded with ``surrogateescape``).
_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u180b-\u180f\u200b-\u200f\u2028-\u202f\u205f-\u206f"
    "\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff]"
)


def visible(text: str) -> str:
    """The text in one line; invisible characters become escapes such as ``\\x1b``."""
    return _HIDDEN.sub(_escape, text)


def visible_lines(text: str) -> str:
    """As :func:`visible`, but line ends and tabs are kept.

    A lone carriage return, as progress displays write it, becomes a line end.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return "\n".join(
        "\t".join(visible(part) for part in line.split("\t")) for line in text.split("\n")
    )


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
