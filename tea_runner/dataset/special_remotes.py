"""A dataset's ``remote.log`` in, its special remotes out; and what the operator allows of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

#: Kinds of special remotes that may be listed by name: all others start programs, or go to an
#: address that the dataset alone says, and have to be listed by uuid.
BY_NAME = frozenset({"directory", "S3", "webdav"})
#: Those that every annex has; our configuration switches them off.
BUILT_IN = frozenset({"web", "bittorrent"})
_STAMP = re.compile(r"([0-9]{1,30}(?:\.[0-9]{1,30})?)s")
#: What may stand in a dataset's description without the operator's word: it leads nowhere else.  All
#: other fields say where content and credentials go, or what is started, in words of each type's own.
_PLAIN = frozenset(
    {
        "name",
        "type",
        "timestamp",
        "encryption",
        "chunk",
        "chunksize",
        "autoenable",
        "cost",
        "datacenter",
        "storageclass",
        "exporttree",
        "importtree",
        "partsize",
        "signature",
        "requeststyle",
    }
)


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

    def surprise(self, described: Mapping[str, str]) -> str:
        """What the dataset says of this storage that the operator did not list; empty if nothing.

        Whoever may push may change the description: a storage of the right uuid and type could lead
        to another address with the operator's credentials.
        """
        for name, value in sorted(described.items()):
            if name not in _PLAIN and self.options.get(name) != value:
                listed = self.options.get(name)
                said = "nothing of it" if listed is None else f"{name} = {listed!r}"
                return (
                    f"storage {self.name} has {name} = {value!r} in the dataset, and the settings say "
                    f"{said}; if it is right, write it into options of this [[storage]]"
                )
        return ""

    def enabling(self, described: Mapping[str, str]) -> list[str]:
        """The options that git-annex has to be told: those that the dataset does not say itself."""
        return [
            f"{name}={value}"
            for name, value in sorted(self.options.items())
            if described.get(name) != value
        ]


def parse_remote_log(data: bytes) -> dict[str, dict[str, str]]:
    """uuid to configuration of each special remote (git-annex, "internals", ``remote.log``).

    Where two lines are of one time nobody knows which of them counts for git-annex: a field in which
    they differ has both values.
    """
    found: dict[str, dict[str, str]] = {}
    stamps: dict[str, Decimal] = {}
    for line in filter(None, data.decode("utf-8", "replace").split("\n")):
        uuid, *words = line.split(" ")
        config = {_plain(name): _plain(value) for name, _, value in map(_parted, words)}
        given = _STAMP.fullmatch(config.get("timestamp", ""))
        stamp = Decimal(given[1]) if given else Decimal(0)
        if stamp == stamps.get(uuid):
            old = found[uuid]
            config |= {n: f"{v} or {config[n]}" for n, v in old.items() if config.get(n, v) != v}
            config = {**old, **config}
        if stamp >= stamps.get(uuid, -1):
            found[uuid], stamps[uuid] = config, stamp
    return found


def _parted(word: str) -> tuple[str, str, str]:
    return word.partition("=")


def _plain(text: str) -> str:
    """Spaces and the like are written as ``&32;``."""
    return re.sub(r"&([0-9]{1,6});", lambda found: chr(int(found[1])), text)
