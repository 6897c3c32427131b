"""Split the signature from a raw commit object and join it again (git's ``gpgsig`` header)."""

from __future__ import annotations

_HEADERS = (b"gpgsig ", b"gpgsig-sha256 ")


def split_signature(commit: bytes) -> tuple[bytes, bytes | None]:
    """The signed data (the commit without its signatures) and the signature, or None without one."""
    header, gap, message = commit.partition(b"\n\n")
    kept: list[bytes] = []
    signature: list[bytes] | None = None
    inside = False
    for line in header.split(b"\n"):
        if line.startswith(_HEADERS):
            inside = True
            signature = [line.split(b" ", 1)[1]]
        elif inside and line.startswith(b" "):
            assert signature is not None
            signature.append(line[1:])
        else:
            inside = False
            kept.append(line)
    data = b"\n".join(kept) + gap + message
    return data, b"\n".join(signature) + b"\n" if signature is not None else None


def join_signature(commit: bytes, signature: bytes, *, sha256: bool = False) -> bytes:
    """The commit with the signature as its last header, where git puts it."""
    header, gap, message = commit.partition(b"\n\n")
    name = _HEADERS[1] if sha256 else _HEADERS[0]
    lines = signature.rstrip(b"\n").split(b"\n")
    return header + b"\n" + name + b"\n ".join(lines) + gap + message
