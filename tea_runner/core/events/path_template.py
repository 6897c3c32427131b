"""Paths of files that events become: a template of the operator, filled with values of strangers.

A value is one part of a name: what could lead elsewhere is encoded as in addresses (``%2F``), so that
different values stay different.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import quote

from tea_runner.core.events.json_pointer import EventRefused
from tea_runner.core.results.reserved_names import reserved_part

_FIELD = re.compile(r"\{([^{}]*)\}")
#: Fields besides JSON pointers: the event's id, the digest of what is kept, and when it came (UTC).
FIELDS = ("id", "digest", "received", "year", "month", "day")
#: Bytes of a file's name on most file systems, and of a whole path.
_NAME_BYTES, _PATH_BYTES = 255, 1024


def template_problem(template: str) -> str:
    """What is wrong with a template; empty when nothing is."""
    rest = _FIELD.sub("x", template)
    if "{" in rest or "}" in rest:
        return "a brace has no partner"
    for name in fields(template):
        if name not in FIELDS and not name.startswith("/"):
            return f"{{{name}}} is none of {', '.join(FIELDS)} and no JSON pointer"
    parts = rest.split("/")
    if "" in parts or {".", ".."} & set(parts) or re.search(r"[\\\x00-\x1f]", rest):
        return "a path below the folder is expected, such as {year}/{id}.json"
    if part := reserved_part(rest):
        return f"{part} has a special meaning for tea-runner, git or a forge"
    return ""


def fields(template: str) -> list[str]:
    """Names of the fields of a template."""
    return _FIELD.findall(template)


def fill(template: str, value: Callable[[str], str]) -> str:
    """The path for one event.

    :param value: returns the value of a field.
    :raises EventRefused: when a value is empty, or the path too long or with a reserved name.
    """

    def part(match: re.Match[str]) -> str:
        text = value(match[1])
        if not text:
            raise EventRefused(f"the value of {match[1]} for the file's path is empty")
        return name_part(text)

    path = _FIELD.sub(part, template)
    parts = path.split("/")
    if "" in parts or {".", ".."} & set(parts):
        raise EventRefused("a part of the file's path would be empty")
    if len(path) > _PATH_BYTES or any(len(part.encode()) > _NAME_BYTES for part in parts):
        raise EventRefused("the file's path would be too long")
    if reserved_part(path):
        raise EventRefused("the file's name would have a special meaning")
    return path


def name_part(value: str) -> str:
    """A value as a part of a file's name."""
    text = quote(value, safe="@+=,")
    return "%2E" + text[1:] if text.startswith(".") else text
