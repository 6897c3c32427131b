"""A value of dicts, lists and plain things in, its JSON text over several lines out.

The text is that of ``json.dumps(value, indent=…, sort_keys=True)``.  Python's own is written with
functions that refer to each other: each call leaves a cycle for the garbage collector, and a planner
writes a record for each datum.
"""

from __future__ import annotations

import json
from collections.abc import Callable

_PLAIN = json.JSONEncoder(ensure_ascii=False).encode
_ASCII = json.JSONEncoder().encode


def indented(value: object, *, by: int, ascii_only: bool = False) -> str:
    """JSON with sorted keys, each level *by* spaces further in.

    :param value: dicts whose keys are texts, lists and tuples, and what ``json`` knows besides.
    :param ascii_only: write other characters as escapes.
    """
    return _text(value, "\n", " " * by, _ASCII if ascii_only else _PLAIN)


def _text(value: object, pad: str, step: str, encode: Callable[[object], str]) -> str:
    if isinstance(value, str):
        return encode(value)
    inner = pad + step
    if isinstance(value, dict) and value:
        rows = [
            f"{encode(key)}: {_text(each, inner, step, encode)}"
            for key, each in sorted(value.items())
        ]
        return f"{{{inner}{f',{inner}'.join(rows)}{pad}}}"
    if isinstance(value, list | tuple) and value:
        rows = [_text(each, inner, step, encode) for each in value]
        return f"[{inner}{f',{inner}'.join(rows)}{pad}]"
    return encode(value)
