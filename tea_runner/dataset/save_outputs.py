"""Save the files that a command wrote, in git or the annex as ``.gitattributes`` says."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tea_runner.core.datums.content_identity import Content
from tea_runner.core.datums.file_fact import FileFact
from tea_runner.core.errors import OutputRefused
from tea_runner.core.results import largefiles
from tea_runner.core.results.refused_outputs import printable
from tea_runner.core.results.result import ResultFile
from tea_runner.core.results.storage_attributes_digest import OutputAttributes, attributes_digest
from tea_runner.dataset.annex_content import Annex
from tea_runner.dataset.attributes import Attributes
from tea_runner.dataset.git_repository import GitRepository
from tea_runner.dataset.matches_content import has_content
from tea_runner.dataset.object_writer import ObjectWriter

#: Bytes from the start of a file by which its encoding is determined.
_HEAD = 65536
#: Bytes of a file up to which it is read whole; git reads larger ones.
_STREAMED = 1 << 20
#: Bytes of new objects in memory after which they are written.
_MAX_PENDING = 16 << 20


@dataclass(frozen=True, slots=True)
class FileToSave:
    """A file that a command wrote, and where it goes."""

    #: Path below ``/pfs/out``.
    path: str
    file: Path
    size: int
    executable: bool
    #: Target of a relative symlink; empty for a plain file.
    link: str = ""
    #: The input file that it is, whose content need not be here: its own key or blob is saved.
    same_as: FileFact | None = None

    def has_content(self, content: Content) -> bool:
        """Whether it has these bytes; see :func:`tea_runner.dataset.matches_content.has_content`."""
        if self.same_as is not None:
            return self.same_as.content == content
        return has_content(self.file, content)


class OutputSaver:
    """Saves the outputs of one job.

    :param backend: git-annex's backend where the attributes state none.
    :param most: bytes of the largest file that is kept in git; None for no limit.
    """

    def __init__(
        self,
        annex: Annex,
        attributes: Attributes,
        repository: GitRepository,
        writer: ObjectWriter,
        backend: str,
        most: int | None = None,
    ) -> None:
        self._annex = annex
        self._attributes = attributes
        self._repository = repository
        self._most = most
        self.writer = writer
        self._backend = backend
        self._keys: list[str] = []
        #: Digest of the attributes of the outputs that were saved last.
        self.rule = ""
        #: Annex keys of inputs that are outputs of the files that were saved last.
        self.linked: tuple[str, ...] = ()

    def save(
        self, files: Sequence[FileToSave], root: str, directory: str
    ) -> tuple[ResultFile, ...]:
        """Add files to the annex or the object writer, and return the outputs, sorted by path.

        :param root: tree of the commit whose attributes apply.
        :param directory: the datum's output directory in the dataset.
        :raises OutputRefused: for a file that is too large to be kept in git.
        """
        prefix = directory + "/" if directory else ""
        attributes = self._attributes.of(root, [prefix + item.path for item in files])
        outputs = []
        self.rule = attributes_digest(
            OutputAttributes(
                item.path,
                prefix + item.path,
                attributes[prefix + item.path][0],
                largefiles.backend(attributes[prefix + item.path][1], self._backend),
            )
            for item in files
            if not item.link
        )
        written = [item for item in files if not item.link and item.same_as is None]
        large = {
            item.path: self._is_large(attributes[prefix + item.path][0], prefix + item.path, item)
            for item in written
        }
        for item in written:
            if not large[item.path]:
                self._check_size(item, prefix + item.path)
        for item in files:
            if item.same_as is not None:
                outputs.append(self._input_file(item, item.same_as))
            elif item.link:
                target = item.link.encode("utf-8", "surrogateescape")
                outputs.append(ResultFile(item.path, "link", self._blob(target), len(target)))
            elif large[item.path]:
                backend = attributes[prefix + item.path][1]
                key = self._annex.key_of(item.file, largefiles.backend(backend, self._backend))
                self._annex.insert(item.file, key)
                self._keys.append(key)
                outputs.append(ResultFile(item.path, "annex", key, item.size))
            else:
                blob = self._file(item)
                outputs.append(ResultFile(item.path, "git", blob, item.size, item.executable))
        keys = {item.same_as.key for item in files if item.same_as is not None}
        self.linked = tuple(sorted(key for key in keys.difference(self._keys) if key is not None))
        return tuple(sorted(outputs, key=lambda output: output.path))

    def _input_file(self, item: FileToSave, fact: FileFact) -> ResultFile:
        """An output that is a file of the dataset already, in whatever form it is kept."""
        if fact.key is not None:
            return ResultFile(item.path, "annex", fact.key, item.size)
        size = item.size if item.size >= 0 else self._repository.blob_size(fact.oid)
        return ResultFile(item.path, "git", fact.oid, size, item.executable)

    def _check_size(self, item: FileToSave, path: str) -> None:
        """Refuse a file for git that is too large for every clone of the dataset."""
        if self._most is not None and item.size > self._most:
            raise OutputRefused(
                f"output {printable(item.path)} has {item.size} bytes and would be kept in git, more "
                f"than the {self._most} that sandbox.git_file_size allows",
                hint=f"annex it: write {printable(path)} annex.largefiles=anything into .gitattributes",
            )

    def _file(self, item: FileToSave) -> str:
        if item.size > _STREAMED:
            return self._repository.add_file(item.file)
        return self._blob(item.file.read_bytes())

    def _blob(self, data: bytes) -> str:
        oid = self.writer.add("blob", data)
        if self.writer.pending > _MAX_PENDING:
            self.writer.flush()
        return oid

    def _is_large(self, expression: str, path: str, item: FileToSave) -> bool:
        simple = largefiles.simple(expression)
        if simple is not None:
            return simple
        with item.file.open("rb") as file:
            encoding = largefiles.encoding(file.read(_HEAD))
        return _matches(self._annex, expression, path, item.size, encoding)


@functools.lru_cache(maxsize=4096)
def _matches(annex: Annex, expression: str, path: str, size: int, encoding: str) -> bool:
    return annex.matches(expression, path, size, encoding)
