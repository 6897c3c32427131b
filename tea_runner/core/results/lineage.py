"""Where a result comes from, or where an input went, as values: files, and the steps between them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class LineageFile:
    """One file with one content."""

    #: Path in the dataset that was asked, through its subdatasets.
    path: str
    #: Content identity, such as ``sha256:…``.
    content: str
    #: The commit in which it was looked at, and the (sub)dataset whose commit that is; empty for the
    #: dataset itself.
    commit: str
    dataset: str = ""
    key: str = ""

    @property
    def id(self) -> str:
        """The same path with the same content is the same file."""
        return _id(self.path, self.content)


@dataclass(frozen=True, kw_only=True)
class LineageStep:
    """One datum that was computed: what it read, what it left, and the record that repeats it."""

    pipeline: str
    datum: str
    key: str
    command: tuple[str, ...]
    environment: tuple[str, ...]
    #: The commit whose record made the results, and its first line.
    record: str = ""
    subject: str = ""
    #: The commit whose inputs these are.
    at: str = ""
    dataset: str = ""
    spec: str = ""
    #: Ids of files.
    inputs: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    #: Why something is not told.
    note: str = ""

    @property
    def id(self) -> str:
        """One datum of one pipeline of one dataset, with one key."""
        return _id(self.dataset, self.pipeline, self.datum, self.key)


@dataclass(kw_only=True)
class Lineage:
    """Files and steps, found from one path."""

    #: Ids of the files that were asked for.
    roots: list[str] = field(default_factory=list)
    files: dict[str, LineageFile] = field(default_factory=dict)
    #: In the order in which they were met.
    steps: dict[str, LineageStep] = field(default_factory=dict)


def _id(*parts: str) -> str:
    text = "\0".join(parts).encode("utf-8", "surrogateescape")
    return hashlib.sha256(text).hexdigest()[:16]
