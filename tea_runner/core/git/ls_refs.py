"""Requests and responses of git's ``ls-refs`` command over HTTP (gitprotocol-v2(5)).

Version 2 is stateless: one request, one response, with only the refs below the requested prefixes.
"""

from __future__ import annotations

import re

CONTENT_TYPE = "application/x-git-upload-pack"
HEADERS = {
    "Git-Protocol": "version=2",
    "Content-Type": f"{CONTENT_TYPE}-request",
    "Accept": f"{CONTENT_TYPE}-result",
}
_ROW = re.compile(rb"([0-9a-f]{40}|[0-9a-f]{64}) (\S+)\n?", re.DOTALL)
_LENGTH = re.compile(rb"[0-9a-f]{4}")
_DELIMITER, _END = b"0001", b"0000"


def ls_refs_request(*prefixes: str) -> bytes:
    """The body of the request for all refs below these prefixes."""
    packets = (
        _packet(b"command=ls-refs\n"),
        _DELIMITER,
        *(_packet(f"ref-prefix {prefix}\n".encode()) for prefix in prefixes),
        _END,
    )
    return b"".join(packets)


def parse_ls_refs(data: bytes, *prefixes: str) -> dict[str, str] | None:
    """Names and ids of the refs below the prefixes; None when the response is malformed or truncated."""
    refs = {}
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
            refs[name] = row[1].decode()
        at = end
    return refs if at + 4 == len(data) else None


def _packet(line: bytes) -> bytes:
    return b"%04x%s" % (len(line) + 4, line)
