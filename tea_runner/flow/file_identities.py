"""Facts that git has about the files of a commit: mode, content identity, annex key.

Facts are cached by blob id, so an unchanged file is read once in the life of a process.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

from tea_runner.core.datums import content_identity
from tea_runner.core.datums.view import FileFact
from tea_runner.core.errors import UserError
from tea_runner.core.fast_tuple import fast_new
from tea_runner.core.git.configured_backend import annex_backend
from tea_runner.core.git.tree import EXECUTABLE, LINK, PLAIN, TreeEntry
from tea_runner.flow.tree_reader import CommitTree
from tea_runner.flow.unusable_files import UnusableFilesError, why_unusable

#: Facts that are cached; a thousand take half a megabyte.
_MAX_FACTS = 2_000


class FileFacts:
    """Facts about the files of one commit."""

    def __init__(self, tree: CommitTree) -> None:
        self._tree = tree
        self._cache = tree.cache.facts

    @cached_property
    def algorithm(self) -> str:
        """Hash algorithm of the dataset's annex backend (``annex.backend`` in ``.gitattributes``)."""
        backend = annex_backend(self._tree.blob_at(".gitattributes") or b"")
        return content_identity.backend_algorithm(backend)

    def fact(self, path: str) -> FileFact:
        """The facts about the file at a path.

        :raises UserError: when it is not in the commit, or cannot be an input; the message says why.
        """
        return self.fact_of(path, self._tree.entry(path))

    def fact_of(self, path: str, entry: TreeEntry | None) -> FileFact:
        """The facts about a file whose tree entry is at hand.

        :raises UserError: as :meth:`fact` does.
        """
        if entry is None:
            raise UserError(f"{path} is not in commit {self._tree.commit[:12]}")
        name = (self.algorithm, *entry)
        known = self._cache.get(name)
        if known is None:
            self.load_facts([entry])
            known = self._cache.get(name)
        if not known:
            data = self._tree.objects.small_blobs([entry.oid])[entry.oid] or b""
            raise UnusableFilesError([why_unusable(path, self._tree.path, entry.mode, data)])
        return known

    def without_facts(self, entries: Iterable[TreeEntry]) -> list[TreeEntry]:
        """Those of the files, each once, whose facts are not cached."""
        algorithm, find = self.algorithm, self._cache.get
        return [e for e in dict.fromkeys(entries) if find((algorithm, *e)) is None]

    def load_facts(self, entries: Sequence[TreeEntry]) -> None:
        """Read the blobs of many files in one batch and cache their facts.

        Facts that were not used lately are evicted first, so that memory does not grow with the number
        of files.
        """
        self._cache.evict(_MAX_FACTS)
        algorithm, put = self.algorithm, self._cache.put
        blobs = self._tree.objects.small_blobs(oid for _, oid in entries)
        strict = self._tree.cache.strict_hashes
        for mode, oid in entries:
            found = _identify(oid, blobs[oid], algorithm, link=mode == LINK)
            if not found or (strict and found[1] and found[0].is_forgeable):
                put((algorithm, mode, oid), False)
            else:
                identity, key = found
                fact = fast_new(FileFact, (mode == EXECUTABLE, identity, key, oid))
                put((algorithm, mode, oid), fact)


def _identify(
    oid: str, data: bytes | None, algorithm: str, *, link: bool
) -> tuple[content_identity.Content, str | None] | None:
    """The identity of a file's content and its annex key; None where the file cannot be an input."""
    if data is not None:
        if not link and data.startswith(content_identity.LFS):
            return None
        key = content_identity.pointer_key(LINK if link else PLAIN, data)
        if key is not None:
            identity = content_identity.key_content(key)
            return (identity, key) if identity else None
    if link:
        return None
    return content_identity.blob_content(oid, data, algorithm), None
