"""A value of dicts, lists and plain things in, its JSON text over several lines out.

The text is that of ``json.dumps(value, indent=…, sort_keys=True)``.  Python's own is written with
functions that refer to each other: each call leaves a cycle for the garbage collector, and a planner
writes a record for each datum.
"""

from __future__ import annotations

import json


def indented(value: object, *, by: int, ascii_only: bool = False) -> str:
    """JSON with sorted keys, each level *by* spaces further in.

    :param value: dicts whose keys are texts, lists and tuples, and what ``json`` knows besides.
    :param ascii_only: write other characters as escapes.
    """
    return _text(value, "\n", " " * by, ascii_only)


def _text(value: object, pad: str, step: str, ascii_only: bool) -> str:
    inner = pad + step
    if isinstance(value, dict) and value:
        rows = [
            f"{json.dumps(key, ensure_ascii=ascii_only)}: {_text(each, inner, step, ascii_only)}"
            for key, each in sorted(value.items())
        ]
        return f"{{{inner}{f',{inner}'.join(rows)}{pad}}}"
    if isinstance(value, list | tuple) and value:
        rows = [_text(each, inner, step, ascii_only) for each in value]
        return f"[{inner}{f',{inner}'.join(rows)}{pad}]"
    return json.dumps(value, ensure_ascii=ascii_only)
