"""git attributes of paths in a commit, without a checkout.

git reads ``.gitattributes`` from a temporary index that contains these files only (git-check-attr(1),
``--cached``).  The ``git check-attr`` process is kept for the next call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from uuid import uuid4

from tea_runner.core.git.tree import LINK, SUBMODULE, TREE, TreeEntry, edit_tree, lookup
from tea_runner.dataset.git_repository import GitRepository
from tea_runner.host import process

_NAMES = ("annex.largefiles", "annex.backend")
#: Bytes of the paths that git is asked for together: the smallest pipe of Linux holds them, so that they
#: are written without git reading, which may wait for its answers to be read.
_TOGETHER = 4096
#: Paths whose attributes are kept.
_MOST_KNOWN = 20_000
#: What git says of an attribute that no line sets (git-check-attr(1)).
UNSPECIFIED = "unspecified"


class Attributes:
    """Reads the attributes of git-annex, from one tree after another.

    :param scratch: folder for the temporary index.
    :param default: returns ``annex.largefiles`` for paths without that attribute; empty for none.
    """

    def __init__(
        self, repository: GitRepository, scratch: Path, default: Callable[[], str] = str
    ) -> None:
        self._repository = repository
        self._default = default
        self._index = scratch / f"attributes.{uuid4().hex}.index"
        self._batch: process.BatchProcess | None = None
        self._files: tuple[tuple[str, str], ...] | None = None
        #: What git said of paths with these files.
        self._known: dict[str, tuple[str, str]] = {}

    def of(self, root: str, paths: Sequence[str]) -> dict[str, tuple[str, str]]:
        """``annex.largefiles`` and ``annex.backend`` of each path; ``unspecified`` where unset.

        :param root: id of the commit's tree.
        """
        self._prepare(root, paths)
        assert self._batch is not None
        default = self._default() or UNSPECIFIED
        unknown = [path for path in dict.fromkeys(paths) if path not in self._known]
        if len(self._known) + len(unknown) > _MOST_KNOWN:
            self._known.clear()
            unknown = list(dict.fromkeys(paths))
        for together in _groups(unknown):
            self._batch.send(b"".join(map(_line, together)))
            for path in together:
                values = []
                for _ in _NAMES:
                    self._field()  # the path
                    self._field()  # the attribute's name
                    values.append(self._field())
                self._known[path] = (values[0], values[1])
        found = ((path, self._known[path]) for path in paths)
        return {
            path: (default if large == UNSPECIFIED else large, backend)
            for path, (large, backend) in found
        }

    def _field(self) -> str:
        assert self._batch is not None
        return self._batch.receive(b"\0").decode("utf-8", "surrogateescape")

    def _prepare(self, root: str, paths: Sequence[str]) -> None:
        directories = {""}
        for path in paths:
            while "/" in path:
                path = path.rpartition("/")[0]
                directories.add(path)
        files: dict[str, TreeEntry | None] = {}
        for directory in sorted(directories):
            path = f"{directory}/.gitattributes" if directory else ".gitattributes"
            entry = lookup(self._repository.objects.tree, root, path)
            if entry is not None and entry.mode not in (TREE, LINK, SUBMODULE):
                files[path] = entry
        tree_files = tuple((path, entry.oid) for path, entry in files.items() if entry)
        if self._batch is not None and self._batch.alive and tree_files == self._files:
            return
        self.close()
        store = self._repository.writer()
        tree = edit_tree(lambda oid: store.trees[oid], store.tree, None, files) or store.tree({})
        store.flush()
        env = self._repository.environment.with_(GIT_INDEX_FILE=str(self._index))
        self._repository.git("read-tree", tree, env=env, why="reading .gitattributes")
        argv = [
            "git",
            f"--git-dir={self._repository.git_dir}",
            "check-attr",
            "--cached",
            "-z",
            "--stdin",
        ]
        self._batch = process.BatchProcess([*argv, *_NAMES], env=env, cwd=self._repository.git_dir)
        self._files = tree_files

    def close(self) -> None:
        """End the process behind it."""
        if self._batch is not None:
            self._batch.close()
            self._batch = None
        self._known.clear()
        self._index.unlink(missing_ok=True)


def _line(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape") + b"\0"


def _groups(paths: Sequence[str]) -> Iterator[list[str]]:
    """Paths that fit together, at least one."""
    group: list[str] = []
    size = 0
    for path in paths:
        more = len(_line(path))
        if group and size + more > _TOGETHER:
            yield group
            group, size = [], 0
        group.append(path)
        size += more
    if group:
        yield group
