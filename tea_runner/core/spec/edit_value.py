"""Replace one text in a pipeline file, and leave everything else as it is written."""

from __future__ import annotations

import json

from tea_runner.core.spec.source_position import locate_value


def replace_text(data: bytes, document: int, key: str, new: str) -> bytes | None:
    """The file with another text at the field *key*; None if the present one is written in several lines.

    :param document: number of the document, from 0.
    :param new: becomes a double-quoted text, which YAML and JSON read alike.
    """
    found = locate_value(data, document, key)
    if found is None:
        return None
    lines = data.decode("utf-8").split("\n")
    line, start = lines[found.mark.line - 1], found.mark.column - 1
    quoted = json.dumps(found.text, ensure_ascii=False)
    written = (found.text,) if found.plain else (quoted, f"'{found.text}'", json.dumps(found.text))
    for old in written:
        if line.startswith(old, start):
            after = line[start + len(old) :]
            text = json.dumps(new, ensure_ascii=False)
            lines[found.mark.line - 1] = line[:start] + text + after
            return "\n".join(lines).encode("utf-8")
    return None
