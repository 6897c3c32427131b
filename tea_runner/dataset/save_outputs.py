"""Files that a command wrote in, outputs as the dataset's own rules want them out: annex or git."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tea_runner.core.datums.content_identity import Content
from tea_runner.core.results import largefiles
from tea_runner.core.results.result import ResultFile
from tea_runner.core.results.storage_rules import OutputAttributes, attributes_digest
from tea_runner.dataset.annex import Annex
from tea_runner.dataset.attributes import Attributes
from tea_runner.dataset.file_content import has_content
from tea_runner.dataset.git_objects import ObjectWriter

_HEAD = 65536


@dataclass(frozen=True, slots=True)
class FileToSave:
    """One file that a command left: where it is, and where it goes."""

    #: Path below ``/pfs/out``.
    path: str
    file: Path
    size: int
    executable: bool
    #: Target of a relative symlink; empty for a plain file.
    link: str = ""

    def has_content(self, content: Content) -> bool:
        """Whether it has these bytes; see :func:`tea_runner.dataset.file_content.has_content`."""
        return has_content(self.file, content)


class OutputSaver:
    """Saves the outputs of one job; :meth:`finish` makes them last."""

    def __init__(
        self, annex: Annex, attributes: Attributes, writer: ObjectWriter, backend: str
    ) -> None:
        self._annex = annex
        self._attributes = attributes
        self.writer = writer
        self._backend = backend
        self._keys: list[str] = []
        #: How the outputs that were saved last were judged.
        self.rule = ""
        #: Ids of blobs that must stay reachable beside the results.
        self.blobs: dict[str, int] = {}

    def save(
        self, found: Sequence[FileToSave], root: str, directory: str
    ) -> tuple[ResultFile, ...]:
        """Outputs for these files.

        :param root: tree of the commit whose attributes count.
        :param directory: where in the dataset the datum's outputs go.
        """
        prefix = directory + "/" if directory else ""
        attributes = self._attributes.of(root, [prefix + item.path for item in found])
        outputs = []
        self.rule = attributes_digest(
            OutputAttributes(
                item.path,
                prefix + item.path,
                attributes[prefix + item.path][0],
                largefiles.backend(attributes[prefix + item.path][1], self._backend),
            )
            for item in found
            if not item.link
        )
        for item in found:
            if item.link:
                target = item.link.encode("utf-8", "surrogateescape")
                outputs.append(ResultFile(item.path, "link", self._blob(target), len(target)))
                continue
            expression, backend = attributes[prefix + item.path]
            if self._is_large(expression, prefix + item.path, item):
                key = self._annex.key_of(item.file, largefiles.backend(backend, self._backend))
                self._annex.insert(item.file, key)
                self._keys.append(key)
                outputs.append(ResultFile(item.path, "annex", key, item.size))
            else:
                blob = self._blob(item.file.read_bytes())
                outputs.append(ResultFile(item.path, "git", blob, item.size, item.executable))
        return tuple(sorted(outputs, key=lambda output: output.path))

    def _blob(self, data: bytes) -> str:
        oid = self.writer.add("blob", data)
        self.blobs[oid] = len(data)
        return oid

    def _is_large(self, expression: str, path: str, item: FileToSave) -> bool:
        simple = largefiles.simple(expression)
        if simple is not None:
            return simple
        with item.file.open("rb") as file:
            encoding = largefiles.encoding(file.read(_HEAD))
        return _matches(self._annex, expression, path, item.size, encoding)

    def finish(self) -> None:
        """Content first: send it to storage and verify it there, before anything names it."""
        self._annex.send(self._keys)


@functools.lru_cache(maxsize=4096)
def _matches(annex: Annex, expression: str, path: str, size: int, encoding: str) -> bool:
    return annex.matches(expression, path, size, encoding)
