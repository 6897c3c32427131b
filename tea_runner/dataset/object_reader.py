"""Read objects of a git repository by id, with caches of trees and commits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from tea_runner.core.datums.content_identity import SMALL_BLOB
from tea_runner.core.errors import OutsideError, Refused
from tea_runner.core.git.tree import Entries
from tea_runner.dataset.cat_file import MAX_OBJECT, CatFile, GitObject
from tea_runner.dataset.git_environment import GitEnvironment
from tea_runner.dataset.parse_commit import Commit
from tea_runner.dataset.tree_cache import TreeCache
from tea_runner.host import process

#: Commits that are cached.
_MAX_COMMITS = 200


class ObjectReader:
    """Reader of one repository's objects; threads may share it.

    Blobs that the partial clone left out count as absent.  Only :meth:`fetch_blobs` fetches them: the
    planner reads no content, and fetching blobs one by one would be slow.
    """

    def __init__(self, git_dir: Path, environment: GitEnvironment) -> None:
        self.git_dir = git_dir
        self._environment = environment
        self._cat = CatFile(git_dir, environment)
        self._trees = TreeCache()
        self._commits: dict[str, Commit] = {}

    @property
    def reads(self) -> int:
        """Number of objects that were read from git so far; tests limit it."""
        return self._cat.reads

    def read(self, oid: str) -> GitObject | None:
        """Type and content of an object, or None when the repository does not have it."""
        return self.read_many([oid])[oid]

    def read_many(self, oids: Iterable[str], most: int = MAX_OBJECT) -> dict[str, GitObject | None]:
        """Type and content of several objects, in one batch; see :meth:`CatFile.read_many`.

        :raises Refused: for a tree that is too large.
        """
        return self._cat.read_many(oids, most)

    def prefetch_blobs(self, oids: Iterable[str]) -> None:
        """Let git read small blobs in the background; the next :meth:`small_blobs` uses them."""
        self._cat.prefetch(oids, SMALL_BLOB)

    def tree(self, oid: str) -> Entries:
        """The entries of a tree.

        :raises OutsideError: when the repository does not have it.
        """
        entries = self._trees.get(oid)
        if entries is None:
            found = self.read(oid)
            if found is None or found[0] != "tree":
                raise OutsideError(f"tree {oid} is not in {self.git_dir}; the fetch was incomplete")
            entries = self._trees.add(oid, found[1])
        return entries

    def read_trees(self, oids: Iterable[str]) -> None:
        """Read trees in one batch into the cache, for :meth:`tree`."""
        unknown = [oid for oid in oids if not self._trees.has(oid)]
        found = self._cat.read_many(unknown)
        self.remember({oid: tree[1] for oid, tree in found.items() if tree and tree[0] == "tree"})

    def remember(self, trees: Mapping[str, bytes]) -> None:
        """Add trees, which the repository has, to the cache."""
        self._trees.put(trees)

    def evict(self) -> None:
        """Evict cached trees that the last job or plan did not use, when there are many.

        During a job or plan nearly all trees stay cached, so that none is read twice; afterwards the
        cache must not grow with the history of the repository.
        """
        self._trees.evict()

    def blob(self, oid: str) -> bytes | None:
        """The content of a blob, or None when the repository does not have it."""
        found = self.read(oid)
        return found[1] if found and found[0] == "blob" else None

    def blobs(self, oids: Iterable[str]) -> dict[str, bytes | None]:
        """As :meth:`blob`, for several in one batch."""
        return {
            oid: found[1] if found and found[0] == "blob" else None
            for oid, found in self.read_many(oids).items()
        }

    def small_blobs(self, oids: Iterable[str]) -> dict[str, bytes | None]:
        """As :meth:`blobs`; larger ones count as absent, as in a partial clone."""
        found = self.read_many(oids, SMALL_BLOB)
        return {oid: each[1] if each and each[0] == "blob" else None for oid, each in found.items()}

    def fetch_blobs(self, oids: Iterable[str]) -> None:
        """Fetch absent blobs, such as large manifests, in one request.

        :raises OutsideError: when the forge does not send them.
        """
        missing = [
            oid
            for oid, data in self.blobs(oids).items()
            if data is None and self._cat.oversized.get(oid, 0) <= MAX_OBJECT
        ]
        if not missing:
            return
        process.run(
            [
                "git",
                f"--git-dir={self.git_dir}",
                "-c",
                "remote.origin.promisor=true",
                "-c",
                # Blobs have no history to negotiate: git's own fetches of missing objects do the same.
                "fetch.negotiationAlgorithm=noop",
                "fetch",
                "-q",
                "--no-tags",
                "--no-write-fetch-head",
                "--recurse-submodules=no",
                "--filter=blob:none",
                "--stdin",
                "origin",
            ],
            env=self._environment.variables,
            cwd=self.git_dir,
            stdin="".join(oid + "\n" for oid in missing).encode(),
            why="fetching manifests",
        )

    def commit(self, oid: str) -> Commit:
        """A parsed commit.

        :raises OutsideError: when the repository does not have it.
        :raises Refused: when it is too large.
        """
        commit = self._commits.get(oid)
        if commit is None:
            found = self.read(oid)
            if found is None and oid in self._cat.oversized:
                raise Refused(
                    f"commit {oid[:12]} takes {self._cat.oversized[oid]} bytes in git, more than "
                    f"{MAX_OBJECT >> 20} MiB: its message is too long",
                    hint="take that commit out of the branch",
                )
            if found is None or found[0] != "commit":
                raise OutsideError(f"commit {oid} is not in {self.git_dir}")
            if len(self._commits) >= _MAX_COMMITS:
                self._commits.clear()
            commit = self._commits[oid] = Commit(oid, found[1])
        return commit

    def close(self) -> None:
        """End the process behind it."""
        self._cat.close()
