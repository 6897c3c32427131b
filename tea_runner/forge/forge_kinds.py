"""The kind of a forge and how to reach it in, a client out: one row per kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tea_runner.forge.folder import FolderForge
from tea_runner.forge.gitea import GiteaForge
from tea_runner.ports import Forge


@dataclass(frozen=True, kw_only=True)
class ForgeConnection:
    """How a forge is reached.

    :param token: empty where none is needed.
    """

    url: str
    token: str = ""
    timeout: float = 15.0
    ca_file: str = ""


KINDS: Mapping[str, Callable[[ForgeConnection], Forge]] = {
    "gitea": lambda reach: GiteaForge(
        reach.url, reach.token, timeout=reach.timeout, ca_file=reach.ca_file
    ),
    "folder": lambda reach: FolderForge(Path(reach.url)),
}


def make_forge(kind: str, reach: ForgeConnection) -> Forge:
    """The client for this kind of forge."""
    return KINDS[kind](reach)
