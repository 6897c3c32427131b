"""Facts that git has about the files of a commit: mode, content identity, annex key.

Facts are cached by blob id, so an unchanged file is read once in the life of a process.  Of a symlink that
is no annexed file only its target is cached: what that means depends on where the link lies.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Literal

from tea_runner.core.datums import content_identity
from tea_runner.core.datums.file_fact import FileFact, LinkedFile
from tea_runner.core.errors import UserError
from tea_runner.core.fast_tuple import fast_new
from tea_runner.core.git.configured_backend import annex_backend
from tea_runner.core.git.tree import EXECUTABLE, LINK, PLAIN, TREE, TreeEntry
from tea_runner.flow.commit_tree import CommitTree
from tea_runner.flow.follow_links import LONGEST_TARGET, Followed, LinkedFolder, follow_links
from tea_runner.flow.unusable_files import UnusableFilesError, why_unusable

#: Facts that are cached; a thousand take half a megabyte.
_MAX_FACTS = 2_000


class FileFacts:
    """Facts about the files of one commit."""

    def __init__(self, tree: CommitTree) -> None:
        self._tree = tree
        self._cache = tree.cache.facts
        #: Of subdatasets that links lead into, by path.
        self._others: dict[str, FileFacts] = {}

    @cached_property
    def algorithm(self) -> str:
        """Hash algorithm of the dataset's annex backend (``annex.backend`` in ``.gitattributes``)."""
        backend = annex_backend(self._tree.blob_at(".gitattributes") or b"")
        return content_identity.backend_algorithm(backend)

    def fact(self, path: str) -> FileFact:
        """The facts about the file at a path, or where a link there leads to.

        :raises UserError: when it is not in the commit, or cannot be an input; the message says why.
        :raises LinkedFolder: when a link leads to a folder.
        """
        return self.fact_of(path, self._tree.entry(path))

    def fact_of(self, path: str, entry: TreeEntry | None) -> FileFact:
        """The facts about a file whose tree entry is at hand.

        :raises UserError: as :meth:`fact` does.
        """
        known = None if entry is None else self._known(entry)
        if isinstance(known, FileFact):
            return known
        if entry is None or isinstance(known, str):
            return self._linked(path)
        data = self._tree.objects.small_blobs([entry.oid])[entry.oid] or b""
        raise UnusableFilesError([why_unusable(path, self._tree.path, entry.mode, data)])

    def _known(self, entry: TreeEntry) -> FileFact | str | Literal[False] | None:
        name = (self.algorithm, *entry)
        known = self._cache.get(name)
        if known is None:
            self.load_facts([entry])
            known = self._cache.get(name)
        return known

    # -- links -------------------------------------------------------------------------------

    def target(self, entry: TreeEntry) -> str | None:
        """The target of a symlink; None for an annexed file, and for anything else."""
        known = self._known(entry) if entry.mode == LINK else None
        return known if isinstance(known, str) else None

    def follow(self, path: str) -> Followed | None:
        """See :func:`~tea_runner.flow.follow_links.follow_links`."""
        return follow_links(self._tree, path, lambda tree, entry: self._of(tree).target(entry))

    def _linked(self, path: str) -> FileFact:
        found = self.follow(path)
        if found is None:
            raise UserError(f"{path} is not in commit {self._tree.commit[:12]}")
        if found.problem:
            return LinkedFile.broken(found.problem, found.through)
        if found.entry.mode == TREE:
            raise LinkedFolder(found.through[0] if found.through else path, found.full_path)
        fact = self._of(found.tree).fact_of(found.path, found.entry)
        return LinkedFile.of(
            fact, path=found.full_path, dataset=found.tree.path, through=found.through
        )

    def _of(self, tree: CommitTree) -> FileFacts:
        if tree is self._tree:
            return self
        return self._others.setdefault(tree.path, FileFacts(tree))

    # -- many files at once ------------------------------------------------------------------

    def without_facts(self, entries: Iterable[TreeEntry]) -> list[TreeEntry]:
        """Those of the files, each once, whose facts are not cached."""
        algorithm, find = self.algorithm, self._cache.get
        return [e for e in dict.fromkeys(entries) if find((algorithm, *e)) is None]

    def load_facts(self, entries: Sequence[TreeEntry]) -> bool:
        """Read the blobs of many files in one batch and cache their facts.

        Facts that were not used lately are evicted first, so that memory does not grow with the number
        of files.

        :returns: whether there are symlinks among them that are no annexed files.
        """
        has_links = False
        self._cache.evict(_MAX_FACTS)
        algorithm, put = self.algorithm, self._cache.put
        blobs = self._tree.objects.small_blobs(oid for _, oid in entries)
        strict = self._tree.cache.strict_hashes
        for mode, oid in entries:
            target = _plain_target(blobs[oid]) if mode == LINK else None
            if target is not None:
                put((algorithm, mode, oid), target)
                has_links = True
                continue
            found = _identify(oid, blobs[oid], algorithm, link=mode == LINK)
            if not found or (strict and found[1] and found[0].is_forgeable):
                put((algorithm, mode, oid), False)
            else:
                identity, key = found
                fact = fast_new(FileFact, (mode == EXECUTABLE, identity, key, oid))
                put((algorithm, mode, oid), fact)
        return has_links

    def load_targets(self, files: Iterable[tuple[str, TreeEntry | None]]) -> None:
        """Cache the facts about what links lead to, in one batch.

        :param files: path and entry of files of which some are links; no entry for those in linked folders.
        """
        found: dict[str, tuple[FileFacts, list[TreeEntry]]] = {}
        for path, entry in files:
            if entry is not None and self.target(entry) is None:
                continue
            with contextlib.suppress(UserError):  # The use of the file says so.
                followed = self.follow(path)
                if followed is not None and not followed.problem and followed.entry.mode != TREE:
                    facts = self._of(followed.tree)
                    found.setdefault(followed.tree.path, (facts, []))[1].append(followed.entry)
        for facts, entries in found.values():
            facts.load_facts(facts.without_facts(entries))


def _plain_target(data: bytes | None) -> str | None:
    """The target of a symlink that is no annexed file."""
    if data is None or content_identity.pointer_key(LINK, data) is not None:
        return None
    # A longer one is refused, so that there is no need to keep it.
    return data[: LONGEST_TARGET + 1].decode("utf-8", "surrogateescape")


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
