"""Convert a known result to the ``.gitattributes`` of another commit.

Where the attributes differ, small files are moved between git and the annex, or get a key of another backend.
For larger ones there is no conversion: a worker computes the datum again.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from tea_runner.core.datums.content_identity import key_size
from tea_runner.core.errors import ContentMissing
from tea_runner.core.git.configured_backend import annex_backend
from tea_runner.core.git.tree import LINK, SUBMODULE, TREE, lookup
from tea_runner.core.results import largefiles
from tea_runner.core.results.result import Result, ResultFile
from tea_runner.core.results.storage_attributes_digest import (
    OutputAttributes,
    attributes_digest,
    needs_content,
)
from tea_runner.dataset.annex_content import Annex
from tea_runner.dataset.attributes import Attributes
from tea_runner.dataset.git_repository import GitRepository

#: Bytes of the largest file that is converted.
MAX_SIZE = 16 << 20
#: Bytes from the start of a file by which its encoding is determined.
_HEAD = 65536


class ResultConverter:
    """Converts results for one dataset."""

    def __init__(
        self,
        repository: GitRepository,
        annex: Callable[[], Annex],
        default_largefiles: Callable[[], str] = str,
    ) -> None:
        """Make a converter.

        :param annex: returns the dataset's annex with its storages enabled.
        :param default_largefiles: see :class:`~tea_runner.dataset.attributes.Attributes`.
        """
        self._default_largefiles = default_largefiles
        self._repository = repository
        self._annex = annex
        #: A tree, and git-annex's backend where its attributes state none.
        self._backend = ("", "")
        self._opened: tuple[tempfile.TemporaryDirectory[str], Attributes] | None = None

    @property
    def _attributes(self) -> Attributes:
        if self._opened is None:
            folder = tempfile.TemporaryDirectory(prefix="convert-", dir=self._repository.git_dir)
            self._opened = (
                folder,
                Attributes(self._repository, Path(folder.name), self._default_largefiles),
            )
        return self._opened[1]

    def attributes_digest(self, root: str, directory: str, result: Result) -> str:
        """Digest of how the attributes of a tree treat the outputs of a result in a directory."""
        return attributes_digest(self._evaluate(root, directory, [o.path for o in _plain(result)]))

    def read_ahead(self, root: str, results: Iterable[tuple[Result, str]]) -> None:
        """Read the attributes of the outputs of results together, each with its directory."""
        paths = [
            f"{directory}/{output.path}" if directory else output.path
            for result, directory in results
            for output in _plain(result)
        ]
        self._attributes.of(root, paths)

    def _evaluate(
        self, root: str, directory: str, outputs: Sequence[str]
    ) -> list[OutputAttributes]:
        before = f"{directory}/" if directory else ""
        found = self._attributes.of(root, [before + path for path in outputs])
        default = self._default_backend(root)
        return [
            OutputAttributes(path, full, expression, largefiles.backend(backend, default))
            for path, (full, (expression, backend)) in zip(outputs, found.items(), strict=True)
        ]

    def _default_backend(self, root: str) -> str:
        if self._backend[0] != root:
            self._backend = root, self._read_default_backend(root)
        return self._backend[1]

    def _read_default_backend(self, root: str) -> str:
        entry = lookup(self._repository.objects.tree, root, ".gitattributes")
        if entry is None or entry.mode in (TREE, LINK, SUBMODULE):
            return annex_backend(b"")
        return annex_backend(self._repository.objects.blob(entry.oid) or b"")

    def convert(self, result: Result, root: str, directory: str) -> Result | None:
        """The result in the form that the attributes of a tree ask for in a directory.

        :param root: object id of the tree.
        :returns: None when that needs content that is too large or not available.
        """
        plain = _plain(result)
        attributes = {
            each.path: each for each in self._evaluate(root, directory, [o.path for o in plain])
        }
        now = attributes_digest(attributes.values())
        if not result.rule or result.rule == now:
            return result
        changed: dict[str, ResultFile] = {}
        for output in plain:
            try:
                converted = self._convert_file(output, attributes[output.path])
            except ContentMissing:
                converted = None
            if converted is None:
                return None
            changed[output.path] = converted
        self._send(changed, result)
        outputs = tuple(changed.get(output.path, output) for output in result.outputs)
        return replace(result, outputs=outputs, rule=now)

    def _convert_file(self, output: ResultFile, attributes: OutputAttributes) -> ResultFile | None:
        data: bytes | None = None
        large = largefiles.simple(attributes.expression)
        if large is None:
            size, encoding = output.size, "binary"
            if needs_content(attributes.expression):
                data = self._content(output)
                if data is None:
                    return None
                size, encoding = len(data), largefiles.encoding(data[:_HEAD])
            large = self._annex().matches(attributes.expression, attributes.full, size, encoding)
        if large and output.kind == "annex" and output.name.startswith(f"{attributes.backend}-"):
            return output
        if not large and output.kind == "git":
            return output
        data = self._content(output) if data is None else data
        if data is None:
            return None
        if not large:
            writer = self._repository.writer()
            oid = writer.add("blob", data)
            writer.flush()
            # The link of an annexed file does not tell whether the file was executable.
            return ResultFile(output.path, "git", oid, len(data))
        with tempfile.TemporaryDirectory(prefix="convert-", dir=self._repository.git_dir) as folder:
            file = Path(folder) / PurePosixPath(output.path).name
            file.write_bytes(data)
            key = self._annex().key_of(file, attributes.backend)
            self._annex().insert(file, key)
        return ResultFile(output.path, "annex", key, len(data))

    def _send(self, changed: Mapping[str, ResultFile], result: Result) -> None:
        """Send new content to the storage, before anything refers to it."""
        before = {output.name for output in result.outputs}
        keys = [o.name for o in changed.values() if o.kind == "annex" and o.name not in before]
        if keys:
            self._annex().send(keys)

    def _content(self, output: ResultFile) -> bytes | None:
        """The file's bytes, or None when it is too large."""
        if output.kind == "annex":
            if (key_size(output.name) or 0) > MAX_SIZE:
                return None
            return self._annex().get([output.name])[output.name].read_bytes()
        data = self._repository.objects.blob(output.name)
        if data is None:
            self._repository.objects.fetch_blobs([output.name])
            data = self._repository.objects.blob(output.name)
        return data if data is not None and len(data) <= MAX_SIZE else None

    def close(self) -> None:
        """End the processes behind it."""
        if self._opened is not None:
            folder, attributes = self._opened
            attributes.close()
            folder.cleanup()
            self._opened = None


def _plain(result: Result) -> list[ResultFile]:
    return [output for output in result.outputs if output.kind != "link"]
