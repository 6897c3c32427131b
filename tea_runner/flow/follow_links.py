"""Following of relative symlinks inside a dataset, as a file system does it, from git objects alone.

A link means what it leads to from where it lies, so nothing here is kept by the id of its blob.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tea_runner.core.errors import UserError
from tea_runner.core.git.tree import LINK, SUBMODULE, TREE, TreeEntry
from tea_runner.flow.commit_tree import CommitTree

#: Bytes of the longest target, as in Linux.
LONGEST_TARGET = 4096
#: Links on the way to one file; Linux allows 40.
_MOST_HOPS = 32
#: Characters of a target that a message shows.
_SHOWN = 200

#: The target of the link with this entry; None for an annexed file.
ReadLink = Callable[[CommitTree, TreeEntry], "str | None"]


@dataclass(frozen=True, kw_only=True)
class Followed:
    """Where a path leads to."""

    tree: CommitTree
    #: In the dataset of *tree*.
    path: str
    entry: TreeEntry
    #: See :class:`~tea_runner.core.datums.file_fact.LinkedFile`; empty if there was no link on the way.
    through: tuple[str, ...] = ()
    #: Why a link cannot be followed.
    problem: str = ""

    @property
    def full_path(self) -> str:
        """The path in the dataset that is planned."""
        return _join(self.tree.path, self.path)


class LinkedFolder(UserError):
    """A link leads to a folder."""

    def __init__(self, path: str, folder: str) -> None:
        super().__init__(f"{path} is a link to the folder {folder}, where a file is needed")


class _UnusableLinkError(Exception):
    """A link that cannot be followed, with the reason."""


def follow_links(tree: CommitTree, path: str, read: ReadLink) -> Followed | None:
    """Where a path of a dataset leads to; None where there is nothing, and no link on the way.

    :raises UserError: when a subdataset on the way may not or cannot be read.
    :raises OutsideError: when its repository does not answer.
    """
    walk = _Walk(tree, path, read)
    try:
        return walk.follow()
    except _UnusableLinkError as error:
        return Followed(
            tree=walk.tree,
            path="/".join(walk.at),
            entry=walk.entry,
            through=(*walk.links, walk.here),
            problem=str(error),
        )


def within(path: str, folder: str) -> bool:
    """Whether a path is a folder's, or in it; all paths are in the folder of the empty path."""
    return not folder or path == folder or path.startswith(folder + "/")


class _Walk:
    """A walk along a path, one part after another."""

    def __init__(self, tree: CommitTree, path: str, read: ReadLink) -> None:
        self._start = tree
        self._read = read
        self._todo = path.split("/")[::-1]
        self.tree = tree
        #: The parts of the path so far, in the dataset of *tree*, and the entry there.
        self.at: list[str] = []
        self.entry = TreeEntry(TREE, tree.root)
        #: Paths in the planned dataset of the links so far; the target of the last one.
        self.links: list[str] = []
        self._target = ""

    @property
    def here(self) -> str:
        """The path so far in the dataset that is planned."""
        return _join(self.tree.path, "/".join(self.at))

    def follow(self) -> Followed | None:
        while self._todo:
            part = self._todo.pop()
            if part in ("", "."):
                continue
            if part == "..":
                self._up()
                continue
            if self.links and (part == ".git" or (part == ".datalad" and not self.at)):
                raise self._unusable(f"leads into {part}")
            found = None
            self.at.append(part)
            if self.entry.mode == TREE:
                found = self.tree.entry("/".join(self.at))
            if found is None:
                if not self.links:
                    return None
                raise self._unusable(f"there is no {self.here} in this dataset")
            self._enter(found)
        through = (*self.links, self.here) if self.links else ()
        return Followed(tree=self.tree, path="/".join(self.at), entry=self.entry, through=through)

    def _enter(self, found: TreeEntry) -> None:
        target = self._read(self.tree, found) if found.mode == LINK else None
        if target is not None:
            self._begin_link(target)
        elif found.mode == SUBMODULE:
            self.tree = self.tree.subdataset("/".join(self.at))
            self.at, self.entry = [], TreeEntry(TREE, self.tree.root)
        else:
            self.entry = found

    def _begin_link(self, target: str) -> None:
        self.links.append(self.here)
        self._target = target
        if target.startswith("/"):
            raise self._unusable("an absolute path is of one machine only")
        if not target or "\0" in target or len(target) > LONGEST_TARGET:
            raise self._unusable("its target is too long" if target else "it has no target")
        if len(self.links) > _MOST_HOPS:
            raise self._unusable(f"it goes round in a circle, or over more than {_MOST_HOPS} links")
        self.at.pop()
        self._todo += target.split("/")[::-1]

    def _up(self) -> None:
        if not self.at:
            raise self._unusable("it leads out of the dataset")
        self.at.pop()
        entry = self.tree.entry("/".join(self.at))
        assert entry is not None
        self.entry = entry

    def _unusable(self, why: str) -> _UnusableLinkError:
        shown = self._target if len(self._target) <= _SHOWN else self._target[:_SHOWN] + "…"
        # The last link is the one that is wrong; the first one is what a datum has.
        by = f", by way of {self.links[-1]}" if len(self.links) > 1 else ""
        return _UnusableLinkError(f"{self.links[0]} is a link to {shown}{by}: {why}")


def _join(*parts: str) -> str:
    return "/".join(filter(None, parts))
