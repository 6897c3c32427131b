"""The commit that unsaved files would make, in memory; nothing is written."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tea_runner.core.errors import OutsideError
from tea_runner.core.git.hash_object import object_id
from tea_runner.core.git.tree import TreeEntry, edit_tree, format_tree
from tea_runner.core.spec.resource_allowance import ANY_RESOURCES, ResourceAllowance
from tea_runner.core.spec.unmet_needs import Offer
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.commit_tree import CommitTree
from tea_runner.flow.offline_image_lookup import RecordedImages
from tea_runner.flow.pipeline_set import PipelineSet, UncheckedPipelineSet
from tea_runner.flow.planning_cache import PlanningCache
from tea_runner.flow.read_pipelines import read_pipelines
from tea_runner.ports import CommitFacts, Images, Objects, Subdatasets

#: The id of a commit that does not exist, as in git's hooks.
NULL_COMMIT = "0" * 40


@dataclass(frozen=True, slots=True)
class UnsavedFiles:
    """A file in the working tree: git's mode, and its content, None where that is too large to read."""

    mode: int
    data: bytes | None


@dataclass
class _Facts:
    oid: str
    message: str
    tree: str
    parents: tuple[str, ...] = ()
    committed: int = 0


@dataclass
class OverlayObjects:
    """Git objects in memory, on top of those of a repository, if there is one."""

    below: Objects | None
    root: str = ""
    parent: str = ""
    trees: dict[str, Mapping[str, TreeEntry]] = field(default_factory=dict)
    contents: dict[str, bytes | None] = field(default_factory=dict)

    def tree(self, oid: str) -> Mapping[str, TreeEntry]:
        """The entries of a tree."""
        known = self.trees.get(oid)
        if known is not None:
            return known
        if self.below is None:
            raise OutsideError(f"tree {oid} does not exist")
        return self.below.tree(oid)

    def read_trees(self, oids: Iterable[str]) -> None:
        """Read many trees in one request."""
        if self.below is not None:
            self.below.read_trees(oid for oid in oids if oid not in self.trees)

    def blob(self, oid: str) -> bytes | None:
        """A blob's content."""
        return self.blobs([oid])[oid]

    def blobs(self, oids: Iterable[str]) -> Mapping[str, bytes | None]:
        """Several blobs' content."""
        oids = list(oids)
        asked = [oid for oid in oids if oid not in self.contents]
        below = self.below.blobs(asked) if self.below is not None and asked else {}
        return {oid: self.contents[oid] if oid in self.contents else below.get(oid) for oid in oids}

    def small_blobs(self, oids: Iterable[str]) -> Mapping[str, bytes | None]:
        """Several small blobs' content."""
        oids = list(oids)
        asked = [oid for oid in oids if oid not in self.contents]
        below = self.below.small_blobs(asked) if self.below is not None and asked else {}
        return {oid: self.contents[oid] if oid in self.contents else below.get(oid) for oid in oids}

    def prefetch_blobs(self, oids: Iterable[str]) -> None:
        """Begin to read blobs in the background."""
        if self.below is not None:
            self.below.prefetch_blobs(oid for oid in oids if oid not in self.contents)

    def fetch_blobs(self, oids: Iterable[str]) -> None:
        """Fetch absent blobs of any size."""
        asked = [oid for oid in oids if oid not in self.contents]
        if self.below is not None and asked:
            self.below.fetch_blobs(asked)

    def commit(self, oid: str) -> CommitFacts:
        """A commit; the null id is that of the unsaved files."""
        if oid != NULL_COMMIT and self.below is not None:
            return self.below.commit(oid)
        return _Facts(NULL_COMMIT, "", self.root, (self.parent,) if self.parent else ())

    def add(self, entry: UnsavedFiles, path: str) -> TreeEntry:
        """Add a file and return its tree entry."""
        if entry.data is None:
            # Only its name matters here, so that any id will do.
            oid = hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()[:40]
        else:
            oid = object_id("blob", entry.data)
        self.contents[oid] = entry.data
        return TreeEntry(entry.mode, oid)

    def write(self, entries: Mapping[str, TreeEntry]) -> str:
        """Add a tree and return its id."""
        oid = object_id("tree", format_tree(entries))
        self.trees[oid] = entries
        return oid


def unchecked_pipelines(tree: CommitTree) -> PipelineSet:
    """The pipelines of a commit, usable even where they conflict."""
    pipelines = read_pipelines(tree)
    return UncheckedPipelineSet(pipelines.written, pipelines.problems)


def unsaved_commit(
    objects: Objects | None,
    parent: str | None,
    files: Mapping[str, UnsavedFiles | None],
    allowed: ResourceAllowance = ANY_RESOURCES,
    subdatasets: Subdatasets | None = None,
    images: Images | None = None,
    offer: Offer | None = None,
) -> CommitReader:
    """The commit of these files on top of another.

    :param parent: id of a commit; None for no commit.
    :param allowed: the most that pipelines may ask for.
    :param files: path to file; None for a file that was deleted.
    :param offer: what this machine gives to commands.
    :param images: finds the digests of images; without it, those are taken that manifests record.
    """
    overlay = OverlayObjects(objects, parent=parent or "")
    root = objects.commit(parent).tree if objects is not None and parent else None
    changes = {
        path: None if entry is None else overlay.add(entry, path) for path, entry in files.items()
    }
    tree = edit_tree(overlay.tree, overlay.write, root, changes)
    overlay.root = tree or overlay.write({})
    cache = PlanningCache(allowed=allowed, images=images or RecordedImages(), offer=offer)
    return CommitReader(
        CommitTree(overlay, NULL_COMMIT, cache, subdatasets=subdatasets), unchecked_pipelines
    )
