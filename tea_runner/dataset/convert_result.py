"""A known result and the place where it is wanted in, the same result as that place's rules want it out.

Only what the attributes judge otherwise there is touched: small files move between git and the annex,
or get a key of the other backend.  Larger ones are left to a worker, which computes them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from tea_runner.core.datums.content_identity import key_size
from tea_runner.core.errors import ContentMissing
from tea_runner.core.git.annex_backend import annex_backend
from tea_runner.core.git.tree import LINK, SUBMODULE, TREE, lookup
from tea_runner.core.results import largefiles
from tea_runner.core.results.result import Result, ResultFile
from tea_runner.core.results.storage_rules import (
    OutputAttributes,
    attributes_digest,
    needs_content,
)
from tea_runner.dataset.annex import Annex
from tea_runner.dataset.attributes import Attributes
from tea_runner.dataset.mirror import Mirror

#: Largest file that is converted instead of computed again.
MOST = 16 << 20
_HEAD = 65536


class ResultConverter:
    """Fits results into one dataset."""

    def __init__(self, mirror: Mirror, annex: Callable[[], Annex]) -> None:
        """For a dataset with this mirror.

        :param annex: gives the dataset's annex with its storages enabled.
        """
        self._mirror = mirror
        self._annex = annex
        self._opened: tuple[tempfile.TemporaryDirectory[str], Attributes] | None = None

    @property
    def _attributes(self) -> Attributes:
        if self._opened is None:
            folder = tempfile.TemporaryDirectory(prefix="fit-", dir=self._mirror.git_dir)
            self._opened = folder, Attributes(self._mirror, Path(folder.name))
        return self._opened[1]

    def attributes_digest(self, root: str, directory: str, outputs: Sequence[str]) -> str:
        """How the attributes of a tree judge outputs of these paths in a directory."""
        return attributes_digest(self._judge(root, directory, outputs))

    def _judge(self, root: str, directory: str, outputs: Sequence[str]) -> list[OutputAttributes]:
        before = f"{directory}/" if directory else ""
        found = self._attributes.of(root, [before + path for path in outputs])
        default = self._default(root)
        return [
            OutputAttributes(path, full, expression, largefiles.backend(backend, default))
            for path, (full, (expression, backend)) in zip(outputs, found.items(), strict=True)
        ]

    def _default(self, root: str) -> str:
        entry = lookup(self._mirror.objects.tree, root, ".gitattributes")
        if entry is None or entry.mode in (TREE, LINK, SUBMODULE):
            return annex_backend(b"")
        return annex_backend(self._mirror.objects.blob(entry.oid) or b"")

    def convert(self, result: Result, root: str, directory: str) -> Result | None:
        """The result as it is to be saved in a directory of a tree.

        :returns: None when that takes content that is too large, or not to be had.
        """
        plain = [output for output in result.outputs if output.kind != "link"]
        judged = {j.path: j for j in self._judge(root, directory, [o.path for o in plain])}
        now = attributes_digest(judged.values())
        if not result.rule or result.rule == now:
            return result
        changed: dict[str, ResultFile] = {}
        for output in plain:
            try:
                made = self._fit_one(output, judged[output.path])
            except ContentMissing:
                made = None
            if made is None:
                return None
            changed[output.path] = made
        self._send(changed, result)
        outputs = tuple(changed.get(output.path, output) for output in result.outputs)
        return replace(result, outputs=outputs, rule=now)

    def _fit_one(self, output: ResultFile, judged: OutputAttributes) -> ResultFile | None:
        data: bytes | None = None
        large = largefiles.simple(judged.expression)
        if large is None:
            size, encoding = output.size, "binary"
            if needs_content(judged.expression):
                data = self._content(output)
                if data is None:
                    return None
                size, encoding = len(data), largefiles.encoding(data[:_HEAD])
            large = self._annex().matches(judged.expression, judged.full, size, encoding)
        if large and output.kind == "annex" and output.name.startswith(f"{judged.backend}-"):
            return output
        if not large and output.kind == "git":
            return output
        data = self._content(output) if data is None else data
        if data is None:
            return None
        if not large:
            writer = self._mirror.writer()
            oid = writer.add("blob", data)
            writer.flush()
            # An annexed file's link does not say whether it was executable.
            return ResultFile(output.path, "git", oid, len(data))
        with tempfile.TemporaryDirectory(prefix="fit-", dir=self._mirror.git_dir) as folder:
            file = Path(folder) / PurePosixPath(output.path).name
            file.write_bytes(data)
            key = self._annex().key_of(file, judged.backend)
            self._annex().insert(file, key)
        return ResultFile(output.path, "annex", key, len(data))

    def _send(self, changed: Mapping[str, ResultFile], result: Result) -> None:
        """Content first, before anything names it."""
        before = {output.name for output in result.outputs}
        keys = [o.name for o in changed.values() if o.kind == "annex" and o.name not in before]
        if keys:
            self._annex().send(keys)

    def _content(self, output: ResultFile) -> bytes | None:
        """The file's bytes, or None when they are too many."""
        if output.kind == "annex":
            if (key_size(output.name) or 0) > MOST:
                return None
            return self._annex().get([output.name])[output.name].read_bytes()
        data = self._mirror.objects.blob(output.name)
        if data is None:
            self._mirror.objects.fetch_blobs([output.name])
            data = self._mirror.objects.blob(output.name)
        return data if data is not None and len(data) <= MOST else None

    def close(self) -> None:
        """End the processes behind it."""
        if self._opened is not None:
            folder, attributes = self._opened
            attributes.close()
            folder.cleanup()
            self._opened = None
