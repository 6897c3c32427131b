"""Settings that are lists of tables: ``[[storage]]`` and ``[[secrets]]``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class StorageOptions:
    """One git-annex special remote that workers may use; ``origin`` is the forge itself.

    Without a uuid, any remote with this name, type and options is used.

    :param env: (variable, file) pairs: git-annex gets the content of the file in the variable.
    :param repositories: patterns of the repositories that it is open to; empty for all that have the same
        readers.
    """

    name: str
    uuid: str = ""
    type: str = ""
    options: tuple[tuple[str, str], ...] = ()
    env: tuple[tuple[str, Path], ...] = ()
    repositories: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SecretFile:
    """One secret that pipelines of the listed repositories may request.

    :param file: the file with the secret, or a folder with one file per key.
    """

    name: str
    file: Path
    repositories: tuple[str, ...]
