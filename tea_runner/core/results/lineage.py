"""Lineage of a path as a graph: files, and the processing steps between them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class LineageFile:
    """One file with one content."""

    #: Path in the queried dataset, including subdatasets.
    path: str
    #: Content identity, such as ``sha256:…``.
    content: str
    #: The commit that contains the file, and the path of the (sub)dataset of that commit; empty for
    #: the dataset itself.
    commit: str
    dataset: str = ""
    key: str = ""

    @property
    def id(self) -> str:
        """Id from the path and the content."""
        return _id(self.path, self.content)


@dataclass(frozen=True, kw_only=True)
class LineageStep:
    """One computed datum: its inputs, its outputs, and the run record that repeats it."""

    pipeline: str
    datum: str
    key: str
    command: tuple[str, ...]
    environment: tuple[str, ...]
    #: The commit with the run record, and its subject.
    record: str = ""
    subject: str = ""
    #: Name of the trusted signer of the row of the manifest; empty where nothing proves it.
    signer: str = ""
    #: The commit whose inputs were used.
    at: str = ""
    dataset: str = ""
    spec: str = ""
    #: Ids of files.
    inputs: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    #: Why information is missing.
    note: str = ""

    @property
    def id(self) -> str:
        """Id from the dataset, the pipeline, the datum and its key."""
        return _id(self.dataset, self.pipeline, self.datum, self.key)


@dataclass(kw_only=True)
class Lineage:
    """The files and steps that are reachable from a path."""

    #: Ids of the queried files.
    roots: list[str] = field(default_factory=list)
    files: dict[str, LineageFile] = field(default_factory=dict)
    #: In the order of the search.
    steps: dict[str, LineageStep] = field(default_factory=dict)


def _id(*parts: str) -> str:
    text = "\0".join(parts).encode("utf-8", "surrogateescape")
    return hashlib.sha256(text).hexdigest()[:16]
