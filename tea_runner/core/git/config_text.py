"""Files in the format of git's configuration: ``.gitmodules``, ``.datalad/config``.

Source: git-config(1), "Syntax", and git's ``config.c``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_SECTION = re.compile(
    r'[ \t]*(?P<section>[A-Za-z0-9.-]+)(?:[ \t]+"(?P<subsection>(?:[^"\\\n]|\\[^\n])*)")?\]'
)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
_BLANK = " \t\r\v\f"
_ESCAPES = {"n": "\n", "t": "\t", "b": "\b", "\\": "\\", '"': '"'}


class ConfigValue(NamedTuple):
    """One value.  Section and name are in lower case; the subsection is as it is written."""

    section: str
    subsection: str
    name: str
    #: Empty for a name without a value as well.
    value: str


def parse_config(data: bytes) -> Iterator[ConfigValue]:
    """All values in the order of the file; the last one of a name counts.

    Where git would refuse the file, what comes before is yielded.
    """
    text = data.decode("utf-8", "surrogateescape").removeprefix("\ufeff").replace("\r\n", "\n")
    section = subsection = ""
    position = 0
    while position < len(text):
        character = text[position]
        if character in _BLANK + "\n":
            position += 1
        elif character in "#;":
            position = _end_of_line(text, position)
        elif character == "[":
            found = _SECTION.match(text, position + 1)
            if found is None:
                return
            section, dot, rest = found["section"].lower().partition(".")
            subsection = re.sub(r"\\(.)", r"\1", found["subsection"] or "")
            if dot:
                subsection = rest if found["subsection"] is None else f"{rest}.{subsection}"
            position = found.end()
        else:
            found = _NAME.match(text, position)
            if found is None:
                return
            read = _value(text, found.end())
            if read is None:
                return
            value, position = read
            yield ConfigValue(section, subsection, found[0].lower(), value)


def _value(text: str, position: int) -> tuple[str, int] | None:
    """The value after a name and the position behind its line; None where it is malformed."""
    while position < len(text) and text[position] in " \t":
        position += 1
    if position == len(text) or text[position] == "\n":
        return "", position
    if text[position] != "=":
        return None
    position += 1
    value, blanks, quoted = "", "", False
    while position < len(text) and (character := text[position]) != "\n":
        position += 1
        if not quoted and character in "#;":
            return value, _end_of_line(text, position)
        if not quoted and character in _BLANK:
            blanks += character if value else ""
            continue
        value, blanks = value + blanks, ""
        if character == '"':
            quoted = not quoted
        elif character == "\\":
            after = text[position : position + 1]
            position += 1
            if after in ("", "\n"):
                continue
            if after not in _ESCAPES:
                return None
            value += _ESCAPES[after]
        else:
            value += character
    return None if quoted else (value, position)


def _end_of_line(text: str, position: int) -> int:
    end = text.find("\n", position)
    return len(text) if end < 0 else end
