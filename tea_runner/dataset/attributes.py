"""Paths of a commit in, their git attributes out, without a checkout.

Git reads ``.gitattributes`` from an index that holds those files and nothing else; one long-lived
``git check-attr`` answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

from tea_runner.core.git.tree import LINK, SUBMODULE, TREE, TreeEntry, edit_tree, lookup
from tea_runner.dataset.mirror import Mirror
from tea_runner.host import process

_NAMES = ("annex.largefiles", "annex.backend")


class Attributes:
    """The annex attributes of one commit's tree, for files below one directory."""

    def __init__(self, mirror: Mirror, scratch: Path) -> None:
        self._mirror = mirror
        self._index = scratch / f"attributes.{uuid4().hex}.index"
        self._pipe: process.BatchProcess | None = None
        self._stamp: tuple[tuple[str, str], ...] | None = None

    def of(self, root: str, paths: Sequence[str]) -> dict[str, tuple[str, str]]:
        """``annex.largefiles`` and ``annex.backend`` of each path; ``unspecified`` where unset.

        :param root: id of the commit's tree.
        """
        self._prepare(root, paths)
        assert self._pipe is not None
        found = {}
        for path in paths:
            self._pipe.send(path.encode("utf-8", "surrogateescape") + b"\0")
            values = []
            for _ in _NAMES:
                for _ in range(2):
                    self._field()
                values.append(self._field())
            found[path] = (values[0], values[1])
        return found

    def _field(self) -> str:
        assert self._pipe is not None
        return self._pipe.receive(b"\0").decode("utf-8", "surrogateescape")

    def _prepare(self, root: str, paths: Sequence[str]) -> None:
        directories = {""}
        for path in paths:
            while "/" in path:
                path = path.rpartition("/")[0]
                directories.add(path)
        files: dict[str, TreeEntry | None] = {}
        for directory in sorted(directories):
            path = f"{directory}/.gitattributes" if directory else ".gitattributes"
            entry = lookup(self._mirror.objects.tree, root, path)
            if entry is not None and entry.mode not in (TREE, LINK, SUBMODULE):
                files[path] = entry
        stamp = tuple((path, entry.oid) for path, entry in files.items() if entry)
        if self._pipe is not None and self._pipe.alive and stamp == self._stamp:
            return
        self.close()
        store = self._mirror.writer()
        tree = edit_tree(lambda oid: store.trees[oid], store.tree, None, files) or store.tree({})
        store.flush()
        env = self._mirror.environment.with_(GIT_INDEX_FILE=str(self._index))
        self._mirror.git("read-tree", tree, env=env, why="reading .gitattributes")
        argv = [
            "git",
            f"--git-dir={self._mirror.git_dir}",
            "check-attr",
            "--cached",
            "-z",
            "--stdin",
        ]
        self._pipe = process.BatchProcess([*argv, *_NAMES], env=env, cwd=self._mirror.git_dir)
        self._stamp = stamp

    def close(self) -> None:
        """End the process behind it."""
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None
        self._index.unlink(missing_ok=True)
