"""Text that anybody may have written in, text that shows every character and steers nothing out."""

from __future__ import annotations

import re

#: Control characters, what turns the direction of writing, separators that look like nothing, and
#: bytes that are no UTF-8 (decoded with ``surrogateescape``).
_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u180b-\u180f\u200b-\u200f\u2028-\u202f\u205f-\u206f"
    "\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff]"
)


def visible(text: str) -> str:
    """The text in one line: what cannot be seen stands as an escape such as ``\\x1b``."""
    return _HIDDEN.sub(_escape, text)


def visible_lines(text: str) -> str:
    """As :func:`visible`, but lines stay lines, and tabs tabs.

    A lone carriage return, with which progress displays write over themselves, ends a line.
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
