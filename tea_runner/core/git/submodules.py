"""Subdatasets of a dataset: its ``.gitmodules`` and the forge repositories that the URLs name."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

_SECTION = re.compile(r'^\s*\[submodule "(?P<name>.*)"\]\s*$')


@dataclass(frozen=True, kw_only=True, slots=True)
class Submodule:
    """One subdataset: its path in the dataset and its URL."""

    path: str
    url: str
    branch: str = ""


def parse_gitmodules(data: bytes) -> dict[str, Submodule]:
    """The subdatasets by path (gitmodules(5)); unknown lines are ignored."""
    found: dict[str, dict[str, str]] = {}
    current: dict[str, str] | None = None
    for line in data.decode("utf-8", "surrogateescape").splitlines():
        section = _SECTION.match(line)
        if section:
            current = found.setdefault(section["name"], {})
        elif line.lstrip().startswith("["):
            current = None
        elif current is not None:
            name, equals, value = line.partition("=")
            if equals:
                current[name.strip().lower()] = value.strip().strip('"')
    return {
        row["path"]: Submodule(path=row["path"], url=row["url"], branch=row.get("branch", ""))
        for row in found.values()
        if row.get("path") and row.get("url")
    }


def repository_of(url: str, base: str, own: str) -> str | None:
    """The full name (``owner/name``) of the forge's repository that a URL names, or None.

    :param base: the forge's URL, without a trailing slash; only repositories below it are accepted.
    :param own: ``owner/name`` of the dataset with the ``.gitmodules``, for relative URLs.
    """
    if url.startswith(("./", "../")):
        joined = posixpath.normpath(posixpath.join(own, url))
        return _full_name(joined)
    parts, root = urlsplit(url), urlsplit(base)
    if parts.scheme != root.scheme or parts.hostname != root.hostname or parts.port != root.port:
        return None
    folder = root.path.rstrip("/") + "/"
    return _full_name(parts.path[len(folder) :]) if parts.path.startswith(folder) else None


def _full_name(path: str) -> str | None:
    name = path.strip("/").removesuffix(".git")
    parts = name.split("/")
    valid = len(parts) == 2 and all(part not in ("", ".", "..") for part in parts)
    return name if valid else None
