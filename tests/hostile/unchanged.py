"""Comparable value of a server's state: Redis, the forge's refs and the files.

What was refused must leave all of them as they were.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tea_runner.broker import redis_keys
from tests.hostile.forge import HostileForge

#: Keys that tell people how something stands, or what was said to the forge; they lead to no deed.
TOLD = (
    redis_keys.planned(""),
    redis_keys.announced(""),
    redis_keys.run(""),
    redis_keys.run_datums(""),
    redis_keys.next_run(""),
    redis_keys.branch_run(""),
    redis_keys.open_runs(),
    redis_keys.run_summary(""),
    redis_keys.runs(),
    redis_keys.repositories(),
    redis_keys.metrics(),
    redis_keys.commit_statuses("", "").rstrip(":") + ":",
)


def redis_of(forge: HostileForge, *besides: str) -> dict[str, Any]:
    """All keys with their content; keys that begin with one of *besides* are left out."""
    found: dict[str, Any] = {}
    for raw in forge.site.redis.scan_iter("*"):
        name = raw.decode("utf-8", "backslashreplace")
        if not name.startswith(besides):
            found[name] = content(forge.site.redis, raw)
    return found


def content(redis: Any, name: bytes) -> Any:
    """What a key holds, as the bytes that were written (a dump would be compressed)."""
    kind = redis.type(name)
    read = {
        b"string": lambda: redis.get(name),
        b"hash": lambda: redis.hgetall(name),
        b"set": lambda: redis.smembers(name),
        b"list": lambda: redis.lrange(name, 0, -1),
        b"zset": lambda: redis.zrange(name, 0, -1, withscores=True),
        b"stream": lambda: redis.xrange(name),
        b"none": lambda: None,
    }
    return read[kind]()


def results_prefix(forge: HostileForge) -> dict[str, dict[str, str]]:
    """All refs of all repositories."""
    places = sorted((forge.root / "forge" / "lab").glob("*.git"))
    return {place.stem: forge.tips(place.stem) for place in places}


def files_of(*folders: Path) -> dict[str, tuple[int, int]]:
    """All files below the folders, with size and time of the last change."""
    return {
        str(path): (path.lstat().st_size, path.lstat().st_mtime_ns)
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if not path.is_dir() or path.is_symlink()
    }
