"""All bytes that a folder and a Redis hold, for the search for canaries."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from tea_runner.core.redact import spellings
from tea_runner.host import process
from tests.hostile.unchanged import content


def written(root: Path, redis: Any, env: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
    """Place and bytes: files, git objects taken out of their compression, keys and values of Redis.

    The log of Redis below the folder also holds what was there once and is not any more.
    """
    for path in root.rglob("*"):
        if path.is_file() and not path.is_symlink() and not path.is_socket():
            yield str(path), path.read_bytes()
    for place in [*root.rglob("*.git"), *root.rglob(".git")]:
        if (place / "objects").is_dir():
            argv = ["git", f"--git-dir={place}", "cat-file", "--batch-all-objects", "--batch"]
            yield str(place), process.run(argv, env=env).stdout
    for name in redis.scan_iter("*"):
        yield f"redis {name!r}", name + b" " + b" ".join(_flat(content(redis, name)))


def _flat(value: Any) -> Iterator[bytes]:
    if isinstance(value, bytes):
        yield value
    elif isinstance(value, Mapping):
        for pair in value.items():
            yield from _flat(pair)
    elif isinstance(value, Collection) and not isinstance(value, str):
        for each in value:
            yield from _flat(each)
    else:
        yield str(value).encode()


def tellers(
    secrets: Collection[bytes], root: Path, redis: Any, env: Mapping[str, str]
) -> dict[bytes, list[str]]:
    """Each of these secrets that stands somewhere, in whatever spelling, with the places."""
    texts = {secret: spellings(secret) for secret in secrets}
    found: dict[bytes, list[str]] = {}
    for place, data in written(root, redis, env):
        for secret, spelled in texts.items():
            if any(text in data for text in spelled):
                found.setdefault(secret, []).append(place)
    return found
