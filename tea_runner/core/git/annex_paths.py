"""Paths that git-annex derives from a key: symlink targets, object directories, location logs.

Source: git-annex's documentation, "internals/hashing" (hashdirmixed, hashdirlower) and
"location_tracking".
"""

from __future__ import annotations

import hashlib
import struct

_LETTERS = "0123456789zqjxkmvwgpfZQJXKMVWGPF"


def _digest(key: str) -> bytes:
    return hashlib.md5(key.encode("utf-8", "surrogateescape"), usedforsecurity=False).digest()


def mixed_directory(key: str) -> str:
    """``Xy/Zw``: the object directory in repositories with a working tree (hashdirmixed)."""
    (word,) = struct.unpack("<I", _digest(key)[:4])
    letters = [_LETTERS[(word >> (6 * index)) & 31] for index in range(4)]
    return f"{letters[1]}{letters[0]}/{letters[3]}{letters[2]}"


def lower_directory(key: str) -> str:
    """``abc/def``: the directory in bare repositories and on the git-annex branch (hashdirlower)."""
    text = _digest(key).hex()
    return f"{text[:3]}/{text[3:6]}"


def link_target(key: str, path: str) -> str:
    """Target of the key's symlink at *path* of a dataset."""
    up = "../" * path.count("/")
    name = file_name(key)
    return f"{up}.git/annex/objects/{mixed_directory(key)}/{name}/{name}"


def file_name(key: str) -> str:
    """The key as a file name, with ``/`` and git-annex's escapes encoded."""
    return key.replace("&", "&a").replace("%", "&s").replace(":", "&c").replace("/", "%")


def log_path(key: str) -> str:
    """Path of the key's location log on the git-annex branch."""
    return f"{lower_directory(key)}/{file_name(key)}.log"


def merge_location(log: bytes, uuid: str, seconds: int) -> bytes:
    """The location log with an entry that the repository *uuid* has the content.

    Lines are ``<seconds>s <0|1> <uuid>``, and the newest line of a uuid counts.  The log is returned
    unchanged if it already has such an entry.
    """
    newest: dict[str, tuple[float, bytes]] = {}
    for line in log.splitlines():
        parts = line.split(b" ")
        if len(parts) < 3:
            continue
        try:
            when = float(parts[0].rstrip(b"s"))
        except ValueError:
            continue
        who = parts[2].decode("utf-8", "surrogateescape")
        if who not in newest or newest[who][0] < when:
            newest[who] = (when, line)
    present = newest.get(uuid)
    if present is not None:
        if present[1].split(b" ")[1] == b"1":
            return log
        seconds = max(seconds, int(present[0]) + 1)
    newest[uuid] = (seconds, b"%ds 1 %s" % (seconds, uuid.encode()))
    return b"".join(line + b"\n" for _, (_, line) in sorted(newest.items()))
