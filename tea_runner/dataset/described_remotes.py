"""Special remotes as a dataset describes them (git-annex, "internals", ``remote.log``)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

_STAMP = re.compile(r"([0-9]{1,30}(?:\.[0-9]{1,30})?)s")
#: Fields that a remote with ``--sameas`` has from the one that it is the same as.
_INHERITED = frozenset({"encryption", "cipher", "cipherkeys", "pubkeys", "mac", "chunk"})


@dataclass(frozen=True, kw_only=True)
class DescribedRemote:
    """One special remote."""

    #: Under which its configuration is kept.
    config_uuid: str
    #: Of the storage: of several remotes with ``--sameas``, all have that of the first one.
    uuid: str
    name: str
    config: Mapping[str, str]

    @property
    def type(self) -> str:
        """git-annex's type of special remote, such as ``S3``."""
        return self.config.get("type", "")


def described_remotes(log: bytes) -> Iterator[DescribedRemote]:
    """The special remotes of a ``remote.log``."""
    configs = parse_remote_log(log)
    for config_uuid, config in configs.items():
        uuid = config.get("sameas-uuid", config_uuid)
        first = configs.get(uuid, {}) if uuid != config_uuid else {}
        inherited = {name: value for name, value in first.items() if name in _INHERITED}
        yield DescribedRemote(
            config_uuid=config_uuid,
            uuid=uuid,
            name=config.get("sameas-name") or config.get("name", ""),
            config={**inherited, **config},
        )


def parse_remote_log(data: bytes) -> dict[str, dict[str, str]]:
    """Configuration of each special remote by the uuid that it is kept under.

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
