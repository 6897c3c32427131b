"""Facts about files of a commit, and what is known of the links among the files of an input."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from tea_runner.core.datums.content_identity import Content

#: Algorithm of the identity of a link that cannot be followed; it has no content.
NO_CONTENT = "LINK"


class FileFact(NamedTuple):
    """Facts about one input file, from git."""

    executable: bool
    content: Content
    #: The annex key, or None for a file in git.
    key: str | None
    #: Git blob id.
    oid: str


class GeneratedFile(FileFact):
    """A file that is in no commit: its content follows from the input itself."""

    data: bytes = b""

    @classmethod
    def of(cls, data: bytes) -> Self:
        """The file with this content."""
        digest = hashlib.sha256(data).hexdigest()
        made = cls(False, Content("SHA256", len(data), digest), None, "")
        made.data = data
        return made


class LinkedFile(FileFact):
    """Facts about the file that a symlink leads to; without one, why it cannot be followed."""

    #: Path of the file in the dataset that is planned, and of the subdataset that it belongs to.
    path: str = ""
    dataset: str = ""
    #: Paths in the dataset that is planned of all links on the way, and of what they lead to.
    through: tuple[str, ...] = ()
    #: Why the link cannot be followed; then there is no content.
    problem: str = ""

    @classmethod
    def of(cls, fact: FileFact, *, path: str, dataset: str, through: tuple[str, ...]) -> Self:
        """The file that links lead to."""
        made = cls(*fact)
        made.path, made.dataset, made.through = path, dataset, through
        return made

    @classmethod
    def broken(cls, problem: str, through: tuple[str, ...]) -> Self:
        """A link that cannot be followed; its identity is that of no content."""
        digest = hashlib.sha256(problem.encode("utf-8", "surrogateescape")).hexdigest()
        made = cls(False, Content(NO_CONTENT, -1, digest), None, "")
        made.problem, made.through = problem, through
        return made

    def is_same(self, other: FileFact) -> bool:
        """Whether both are the same file by the same links, with the same facts."""
        return isinstance(other, LinkedFile) and self == other and vars(self) == vars(other)


@dataclass
class InputLinks:
    """The links among the files of an input, as far as they were looked at."""

    #: Path in the listing to the file; also of files in linked folders.
    files: dict[str, LinkedFile] = field(default_factory=dict)
    #: Path in the listing of each link to a folder, to the folder's path in the dataset that is planned
    #: and the id of its tree.  Its files are in the listing, and the link is not.
    folders: dict[str, tuple[str, str]] = field(default_factory=dict)
    #: Of each link to a folder, its way, as :attr:`LinkedFile.through`.
    ways_to_folders: list[tuple[str, ...]] = field(default_factory=list)
    #: Path in the listing of each link to no folder, below which the input could have files, to its way.
    no_folders: dict[str, tuple[str, ...]] = field(default_factory=dict)
    #: Links to folders that are not followed.
    refused: dict[str, LinkedFile] = field(default_factory=dict)

    @property
    def problems(self) -> dict[str, str]:
        """Paths of links that cannot be followed, with the reason."""
        return {path: file.problem for path, file in self.files.items() if file.problem}

    @property
    def ways(self) -> Iterator[tuple[str, ...]]:
        """The ways of all links that are followed or refused, as :attr:`LinkedFile.through`."""
        yield from (file.through for file in (*self.files.values(), *self.refused.values()))
        yield from self.ways_to_folders

    @property
    def dependencies(self) -> Iterator[tuple[str, ...]]:
        """The ways of all links that decide which files there are, and what they are."""
        yield from self.ways
        yield from self.no_folders.values()

    def __bool__(self) -> bool:
        return bool(self.files or self.folders or self.refused or self.no_folders)
