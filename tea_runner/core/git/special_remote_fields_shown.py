"""Fields of git-annex special remotes: which may be shown, and how."""

from __future__ import annotations

import re

#: Fields whose values are shown: addresses.  Any other one may hold a password.
SHOWN_FIELDS = frozenset(
    {
        "bucket",
        "directory",
        "externaltype",
        "fileprefix",
        "host",
        "port",
        "protocol",
        "public",
        "publicurl",
        "region",
        "rsyncurl",
        "type",
        "url",
        "uuid",
    }
)


def without_password(value: str) -> str:
    """A value for people: a password of a URL is before its last ``@``, whatever is in it."""
    return re.sub(r"(?<=://)[^/]*@", "…@", value)
