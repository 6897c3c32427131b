"""A dataset's ``remote.log`` in, its special remotes out; and what the operator allows of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

#: Kinds of special remotes that may be listed by name: all others start programs, or go to an
#: address that the dataset alone says, and have to be listed by uuid.
BY_NAME = frozenset({"directory", "S3", "webdav"})
#: Those that every annex has; our configuration switches them off.
BUILT_IN = frozenset({"web", "bittorrent"})


@dataclass(frozen=True, kw_only=True)
class Storage:
    """A special remote that the operator allows, as the dataset's ``remote.log`` may describe it.

    ``origin`` stands for the forge itself, where it speaks git-annex.
    """

    name: str
    uuid: str = ""
    type: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict, repr=False)


def parse_remote_log(data: bytes) -> dict[str, dict[str, str]]:
    """uuid to configuration of each special remote (git-annex, "internals", ``remote.log``)."""
    found: dict[str, dict[str, str]] = {}
    stamps: dict[str, float] = {}
    for line in data.decode("utf-8", "replace").splitlines():
        uuid, *words = line.split(" ")
        config = dict(word.partition("=")[::2] for word in words)
        try:
            stamp = float(config.get("timestamp", "0").rstrip("s"))
        except ValueError:
            stamp = 0.0
        if stamp >= stamps.get(uuid, -1.0):
            found[uuid], stamps[uuid] = config, stamp
    return found
