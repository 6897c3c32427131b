"""Requests in a commit's message that its push be processed by nobody."""

from __future__ import annotations

import re
from collections.abc import Sequence

_MARKER = re.compile(r"\[(?:skip (?:ci|tea)|(?:ci|tea) skip)\]", re.IGNORECASE)


def skip_marker(message: str, parents: Sequence[str]) -> str:
    """The marker, such as ``[skip ci]``, by which a commit asks to be skipped; empty for none.

    It counts in the first line, or as a line of its own.  A merge never asks: its message, and that of
    a squashed branch, repeats what others wrote.
    """
    if len(parents) > 1:
        return ""
    first, _, rest = message.lstrip("\n").partition("\n")
    found = _MARKER.search(first)
    if found:
        return found[0]
    lines = (line.strip() for line in rest.split("\n"))
    return next((line for line in lines if _MARKER.fullmatch(line)), "")
