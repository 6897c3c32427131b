"""The beginning of refs' names in, git's question for them out; the answer in, refs with their ids out.

Version 2 of git's protocol, whose requests need nothing before them: one question, one answer, and
only the refs that were asked for.
"""

from __future__ import annotations

import re

CONTENT_TYPE = "application/x-git-upload-pack"
#: Says which version of the protocol is spoken.
HEADERS = {
    "Git-Protocol": "version=2",
    "Content-Type": f"{CONTENT_TYPE}-request",
    "Accept": f"{CONTENT_TYPE}-result",
}
_ROW = re.compile(rb"([0-9a-f]{40}|[0-9a-f]{64}) (\S+)\n?", re.DOTALL)
_LENGTH = re.compile(rb"[0-9a-f]{4}")
_DELIMITER, _END = b"0001", b"0000"


def ls_refs_request(*prefixes: str) -> bytes:
    """What is sent."""
    said = (
        _packet(b"command=ls-refs\n"),
        _DELIMITER,
        *(_packet(f"ref-prefix {prefix}\n".encode()) for prefix in prefixes),
        _END,
    )
    return b"".join(said)


def parse_ls_refs(data: bytes, *prefixes: str) -> dict[str, str] | None:
    """Refs below the prefixes with their ids; None when this is no whole answer, which is never "no refs"."""
    found = {}
    at = 0
    while (length := data[at : at + 4]) != _END:
        if not _LENGTH.fullmatch(length):
            return None
        end = at + int(length, 16)
        row = _ROW.fullmatch(data[at + 4 : end])
        if end > len(data) or row is None:
            return None
        name = row[2].decode("utf-8", "replace")
        if name.startswith(prefixes):
            found[name] = row[1].decode()
        at = end
    return found if at + 4 == len(data) else None


def _packet(line: bytes) -> bytes:
    return b"%04x%s" % (len(line) + 4, line)
