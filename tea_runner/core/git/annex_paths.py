"""Annex keys in, the places that git-annex gives them out: symlink targets and log paths.

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
    """``Xy/Zw``: where a repository with a working tree keeps the key's content."""
    (word,) = struct.unpack("<I", _digest(key)[:4])
    letters = [_LETTERS[(word >> (6 * index)) & 31] for index in range(4)]
    return f"{letters[1]}{letters[0]}/{letters[3]}{letters[2]}"


def lower_directory(key: str) -> str:
    """``abc/def``: where bare repositories and the git-annex branch keep the key."""
    text = _digest(key).hex()
    return f"{text[:3]}/{text[3:6]}"


def link_target(key: str, path: str) -> str:
    """Target of the symlink that stands for the key at *path* of a dataset."""
    up = "../" * path.count("/")
    name = file_name(key)
    return f"{up}.git/annex/objects/{mixed_directory(key)}/{name}/{name}"


def file_name(key: str) -> str:
    """The key as a file's name: ``/`` and its escapes encoded as git-annex does."""
    return key.replace("&", "&a").replace("%", "&s").replace(":", "&c").replace("/", "%")


def log_path(key: str) -> str:
    """Path of the key's location log on the git-annex branch."""
    return f"{lower_directory(key)}/{file_name(key)}.log"


def merge_location(log: bytes, uuid: str, seconds: int) -> bytes:
    """A location log that says that *uuid* has the content.

    Lines are ``<seconds>s <0|1> <uuid>``; the newest line of a uuid counts.  An entry that says so
    already is kept, so that doing it twice is doing it once.
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
    mine = newest.get(uuid)
    if mine is not None:
        if mine[1].split(b" ")[1] == b"1":
            return log
        seconds = max(seconds, int(mine[0]) + 1)
    newest[uuid] = (seconds, b"%ds 1 %s" % (seconds, uuid.encode()))
    return b"".join(line + b"\n" for _, (_, line) in sorted(newest.items()))
