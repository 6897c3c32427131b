"""Special remotes as a dataset describes them, checked against the operator's settings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

#: Types of special remotes that the operator may list by name.  All others start programs or use an
#: address that only the dataset states, and must be listed by uuid.
BY_NAME = frozenset({"directory", "S3", "webdav"})
#: Special remotes of every annex, which our configuration disables.
BUILT_IN = frozenset({"web", "bittorrent"})
_STAMP = re.compile(r"([0-9]{1,30}(?:\.[0-9]{1,30})?)s")
#: Fields that a dataset may set freely: they do not change where content and credentials go, or what
#: programs are started.  All other fields depend on the type and may do so.
_HARMLESS = frozenset(
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
    """A special remote that the operator allows (``[[storage]]`` in the settings).

    The name ``origin`` means the forge itself, if it supports git-annex.
    """

    name: str
    uuid: str = ""
    type: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    #: Whether the operator listed the repositories that may use it.
    listed: bool = False

    def difference(self, described: Mapping[str, str]) -> str:
        """The first field of the dataset's description that the operator did not list, as a sentence.

        Empty when there is none.  Everyone who may push can change the description: a storage of the
        right uuid and type could send the operator's credentials to another address.
        """
        for name, value in sorted(described.items()):
            if name not in _HARMLESS and self.options.get(name) != value:
                listed = self.options.get(name)
                settings = "do not list it" if listed is None else f"say {name} = {listed!r}"
                return (
                    f"storage {self.name} has {name} = {value!r} in the dataset, and the settings "
                    f"{settings}; if it is right, write it into options of this [[storage]]"
                )
        return ""

    def enabling(self, described: Mapping[str, str]) -> list[str]:
        """Options for git-annex-enableremote(1): those that the dataset does not state itself."""
        return [
            f"{name}={value}"
            for name, value in sorted(self.options.items())
            if described.get(name) != value
        ]


def parse_remote_log(data: bytes) -> dict[str, dict[str, str]]:
    """Configuration of each special remote by uuid (git-annex, "internals", ``remote.log``).

    It is not specified which of two lines with the same timestamp git-annex uses: a field in which they
    differ gets both values.
    """
    remotes: dict[str, dict[str, str]] = {}
    stamps: dict[str, Decimal] = {}
    for line in filter(None, data.decode("utf-8", "replace").split("\n")):
        uuid, *fields = line.split(" ")
        config = {_unescape(name): _unescape(value) for name, _, value in map(_partition, fields)}
        match = _STAMP.fullmatch(config.get("timestamp", ""))
        stamp = Decimal(match[1]) if match else Decimal(0)
        if stamp == stamps.get(uuid):
            old = remotes[uuid]
            config |= {n: f"{v} or {config[n]}" for n, v in old.items() if config.get(n, v) != v}
            config = {**old, **config}
        if stamp >= stamps.get(uuid, -1):
            remotes[uuid], stamps[uuid] = config, stamp
    return remotes


def _partition(field: str) -> tuple[str, str, str]:
    return field.partition("=")


def _unescape(text: str) -> str:
    """Decode characters that are written as ``&32;``."""
    return re.sub(r"&([0-9]{1,6});", lambda match: chr(int(match[1])), text)
