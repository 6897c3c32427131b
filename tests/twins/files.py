"""Kinds of files that a test commits: text, annexed, executable, symlink, subdataset, absent."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from tea_runner.core.git.annex_paths import link_target
from tea_runner.core.git.tree import EXECUTABLE, LINK, PLAIN, SUBMODULE


@dataclass(frozen=True)
class Annexed:
    """A file whose content git-annex manages; a locked one is a symlink, an unlocked one a pointer."""

    content: str
    backend: str = "MD5E"
    unlocked: bool = False
    #: Whether the storage has the content.
    stored: bool = True

    @property
    def key(self) -> str:
        """The annex key."""
        data = self.content.encode()
        name = self.backend.removesuffix("E")
        if name == "WORM":
            return f"WORM-s{len(data)}-m1--file"
        algorithm = {"MD5": "md5", "SHA1": "sha1", "SHA256": "sha256"}[name]
        digest = hashlib.new(algorithm, data, usedforsecurity=False).hexdigest()
        return f"{self.backend}-s{len(data)}--{digest}"


@dataclass(frozen=True)
class Executable:
    """A program kept in git."""

    content: str


@dataclass(frozen=True)
class Symlink:
    """A symbolic link kept in git."""

    target: str


@dataclass(frozen=True)
class Gitlink:
    """A subdataset at a commit."""

    commit: str


Content = str | bytes | Annexed | Executable | Symlink | Gitlink
#: Path to content; None removes the file or directory.
Files = dict[str, Content | None]


def mode_and_data(path: str, content: Content) -> tuple[int, bytes | str]:
    """Mode of the tree entry and the blob's bytes; for a subdataset its commit's id."""
    if isinstance(content, Gitlink):
        return SUBMODULE, content.commit
    if isinstance(content, Symlink):
        return LINK, content.target.encode()
    if isinstance(content, Executable):
        return EXECUTABLE, content.content.encode()
    if isinstance(content, Annexed):
        if content.unlocked:
            return PLAIN, f"/annex/objects/{content.key}\n".encode()
        return LINK, link_target(content.key, path).encode()
    return PLAIN, content.encode("utf-8", "surrogateescape") if isinstance(
        content, str
    ) else content
