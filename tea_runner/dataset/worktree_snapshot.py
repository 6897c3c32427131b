"""The working tree of a clone as a commit that no branch leads to: what saving it now would make."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tea_runner.core.datums.content_identity import pointer_key
from tea_runner.core.errors import UserError
from tea_runner.core.git.annex_paths import link_target
from tea_runner.core.git.configured_backend import annex_backend
from tea_runner.core.git.tree import EXECUTABLE, LINK, PLAIN, SUBMODULE, TreeEntry, edit_tree
from tea_runner.core.results import largefiles
from tea_runner.dataset.local_clone import CloneDataset
from tea_runner.host import process

#: Bytes of a file up to which it is read whole; git reads larger ones.
_STREAMED = 1 << 20
#: Bytes from the start of a file by which its encoding is determined.
_HEAD = 65536


@dataclass(frozen=True, slots=True)
class _Changed:
    """One path that differs from HEAD; *staged* is its index entry if the file is the same."""

    path: str
    staged: TreeEntry | None = None
    deleted: bool = False


def snapshot_worktree(dataset: CloneDataset, who: str, *, keep_content: bool) -> str:
    """Write the commit and return its id; working tree, index and refs stay as they are.

    Files that saving would annex are annexed in it.  The cost is that of ``git status`` and of the
    files that differ from HEAD.

    :param who: author of the commit, ``Name <address>``.
    :param keep_content: whether commands are to read it: content is copied into the annex, large
        files into git.  Else only ids are computed.
    :raises UserError: while a merge is under way, or when a rule of largefiles cannot be evaluated.
    """
    return _Snapshot(dataset, who, keep_content).write()


class _Snapshot:
    def __init__(self, dataset: CloneDataset, who: str, keep_content: bool) -> None:
        self._dataset = dataset
        self._who = who
        self._keep = keep_content
        self._repository = dataset.clone
        self._worktree = dataset.clone.worktree
        self._writer = dataset.clone.writer()

    def write(self) -> str:
        raw = self._repository.git("rev-parse", "-q", "--verify", "HEAD^{commit}", check=False)
        head = raw.decode().strip()
        objects = self._repository.objects
        facts = objects.commit(head) if head else None
        changed = list(self._changed())
        rules = self._rules([each.path for each in changed if not each.staged])
        changes = {each.path: self._entry(each, rules) for each in changed}

        def read(oid: str) -> Mapping[str, TreeEntry]:
            return self._writer.trees.get(oid) or objects.tree(oid)

        root = edit_tree(read, self._writer.tree, facts.tree if facts else None, changes)
        commit = self._writer.commit(
            root or self._writer.tree({}),
            [head] if head else [],
            "unsaved files\n",
            who=self._who,
            seconds=facts.committed if facts else 0,
        )
        self._writer.flush()
        return commit

    def _changed(self) -> Iterator[_Changed]:
        """What ``git status`` lists (git-status(1), "Porcelain Format Version 2")."""
        argv = ["git", "status", "--porcelain=v2", "-z", "--no-renames"]
        argv += ["--untracked-files=all", "--ignore-submodules=dirty"]
        # Without this, git status writes the index (git(1)).
        env = {**self._repository.environment.variables, "GIT_OPTIONAL_LOCKS": "0"}
        done = process.run(argv, env=env, cwd=self._worktree, why="reading the working tree")
        for row in done.stdout.decode("utf-8", "surrogateescape").split("\0"):
            kind, _, rest = row.partition(" ")
            if kind == "?" and not rest.endswith("/"):  # that would be a repository
                yield _Changed(rest)
            elif kind == "u":
                path = rest.split(" ", 9)[9]
                raise UserError(f"{path} is in conflict", hint="finish the merge, or abort it")
            elif kind == "1":
                states, _, _, mode, _, _, oid, path = rest.split(" ", 7)
                staged = TreeEntry(int(mode, 8), oid) if states[1] == "." else None
                gone = states[1] == "D" or (states[1] == "." and not int(mode, 8))
                yield _Changed(path, None if gone else staged, gone)

    def _rules(self, paths: Sequence[str]) -> dict[str, tuple[str, str]]:
        """``annex.largefiles`` and ``annex.backend`` of paths, as in the working tree."""
        if not (self._repository.git_dir / "annex").is_dir():
            return {}
        names = ("annex.largefiles", "annex.backend")
        argv = ["git", "check-attr", "-z", "--stdin", *names]
        stdin = "".join(path + "\0" for path in paths).encode("utf-8", "surrogateescape")
        env = self._repository.environment.variables
        done = process.run(argv, env=env, cwd=self._worktree, stdin=stdin)
        values = done.stdout.decode("utf-8", "surrogateescape").split("\0")[2::3]
        default = self._dataset.default_largefiles()
        rules = {}
        for path, rule, backend in zip(paths, values[::2], values[1::2], strict=True):
            rules[path] = (default if default and rule == "unspecified" else rule, backend)
        return rules

    def _entry(self, each: _Changed, rules: Mapping[str, tuple[str, str]]) -> TreeEntry | None:
        """The tree entry of a path; None for a file that was deleted or that git cannot store."""
        if each.deleted or each.staged is not None:
            return each.staged
        file = self._worktree / each.path
        try:
            facts = file.lstat()
        except OSError:
            return None
        if stat.S_ISLNK(facts.st_mode):
            return TreeEntry(LINK, self._writer.add("blob", os.fsencode(os.readlink(file))))
        if stat.S_ISDIR(facts.st_mode):
            head = process.run(
                ["git", "-C", str(file), "rev-parse", "HEAD"],
                env=self._repository.environment.variables,
            )
            return TreeEntry(SUBMODULE, head.stdout.decode().strip())
        if not stat.S_ISREG(facts.st_mode):
            return None
        return self._file(each.path, file, facts.st_size, facts.st_mode, rules.get(each.path))

    def _file(
        self, path: str, file: Path, size: int, mode: int, rule: tuple[str, str] | None
    ) -> TreeEntry:
        kept = EXECUTABLE if mode & 0o100 else PLAIN
        data = file.read_bytes() if size <= _STREAMED else None
        is_pointer = data is not None and pointer_key(PLAIN, data) is not None
        if rule is not None and not is_pointer and self._is_large(path, file, size, rule[0]):
            backend = largefiles.backend(rule[1], self._default_backend)
            key = self._dataset.annex.key_of(file, backend)
            if self._keep:
                self._dataset.annex.insert(file, key)
            target = link_target(key, path).encode("utf-8", "surrogateescape")
            return TreeEntry(LINK, self._writer.add("blob", target))
        if data is not None:
            return TreeEntry(kept, self._writer.add("blob", data))
        return TreeEntry(kept, self._repository.add_file(file, write=self._keep))

    @cached_property
    def _default_backend(self) -> str:
        file = self._worktree / ".gitattributes"
        return annex_backend(file.read_bytes() if file.is_file() else b"")

    def _is_large(self, path: str, file: Path, size: int, expression: str) -> bool:
        simple = largefiles.simple(expression)
        if simple is not None:
            return simple
        with file.open("rb") as opened:
            encoding = largefiles.encoding(opened.read(_HEAD))
        return self._dataset.annex.matches(expression, path, size, encoding)
