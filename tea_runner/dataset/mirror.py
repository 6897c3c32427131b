"""Mirror of a forge's repository: a bare partial clone that planner and workers read from.

Branches are stored as ``refs/remotes/origin/…``, and results of jobs under ``refs/tea/…``.  All trees are
fetched, but only blobs that are small enough to be annex pointers or pipeline files (git-clone(1),
``--filter=blob:limit``).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

from tea_runner.core.datums.content_identity import SMALL_BLOB
from tea_runner.core.errors import CommandError, Refused
from tea_runner.dataset.fetch_limits import FetchLimits
from tea_runner.dataset.git_environment import GitEnvironment
from tea_runner.dataset.git_repository import PARTIAL_CLONE, GitRepository
from tea_runner.dataset.ref_push import push_refs
from tea_runner.host import process

#: Errors of git-index-pack(1) for objects that fail fsck.
_FSCK_ERROR = re.compile(r"(?m)object [0-9a-f]{40,64}: [A-Za-z]+: .*$")
#: Prefixes of the refs on the forge that are fetched.
FETCHED = ("refs/heads/", "refs/tea/")
_REFSPECS = ("+refs/heads/*:refs/remotes/origin/*", "+refs/tea/*:refs/tea/*")
#: File that marks a mirror as complete.
_READY = "tea-ready"

#: (ref, new object id or "" to delete, expected id or None for "must not exist").
RefUpdate = tuple[str, str, str | None]


class Mirror(GitRepository):
    """Mirror of one repository of the forge."""

    def __init__(
        self,
        git_dir: Path,
        url: str,
        environment: GitEnvironment,
        limits: FetchLimits | None = None,
    ) -> None:
        super().__init__(git_dir, environment)
        self.url = url
        self._limits = limits or FetchLimits()

    def ensure(self) -> None:
        """Make the repository if it does not exist; one that was not completed is replaced.

        Several processes may call this at the same time.
        """
        if (self.git_dir / _READY).exists():
            return
        self.git_dir.parent.mkdir(parents=True, exist_ok=True)
        with self.lock("make"):
            if (self.git_dir / _READY).exists():
                return
            shutil.rmtree(self.git_dir, ignore_errors=True)
            temporary = self.git_dir.with_name(f".{self.git_dir.name}.{os.getpid()}")
            shutil.rmtree(temporary, ignore_errors=True)
            object_format = self._object_format()
            process.run(
                ["git", "init", "-q", "--bare", f"--object-format={object_format}", str(temporary)],
                env=self.environment.variables,
                why="making a mirror",
            )
            self._write_config(temporary)
            (temporary / _READY).touch()
            os.replace(temporary, self.git_dir)

    def _object_format(self) -> str:
        """Object format of the forge's repository: ``sha1`` or ``sha256``."""
        refs = self.ls_remote()
        self._limits.check(refs)
        for oid in refs.values():
            return "sha256" if len(oid) == 64 else "sha1"
        return "sha1"

    def _write_config(self, git_dir: Path) -> None:
        text = (git_dir / "config").read_text()
        text += f'[remote "origin"]\n\turl = "{self.url}"\n'
        text += "".join(f'\tfetch = "{spec}"\n' for spec in _REFSPECS)
        (git_dir / "config").write_text(text)

    @contextlib.contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """A lock between processes of this host, released by the kernel when its holder dies."""
        path = self.git_dir.with_name(f".{self.git_dir.name}.{name}.lock")
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def fetch(self, *refspecs: str) -> None:
        """Fetch all branches and results of jobs, and delete refs that the forge has deleted.

        :param refspecs: fetch only these, and delete nothing.
        :raises OutsideError: when the forge does not answer; refs are then unchanged.
        :raises Refused: when what it sends fails git's fsck or exceeds a limit.
        """
        self.ensure()
        # --no-write-fetch-head: processes that fetch at the same time would overwrite the file.
        arguments = [*PARTIAL_CLONE, "fetch", "-q", "--no-tags", "--no-write-fetch-head"]
        arguments += ["--recurse-submodules=no", f"--filter=blob:limit={SMALL_BLOB}"]
        if not refspecs:
            arguments.append("--prune")

        def fetch() -> None:
            self.git(
                *arguments,
                "origin",
                *refspecs,
                why=f"fetching {self.url}",
                prefix=self._limits.prlimit_prefix(),
            )

        with self.lock("fetch"):
            try:
                self._without_stale_locks(fetch)
            except CommandError as error:
                refuse_damaged(error)
                self._limits.refuse_excess(error, self.git_dir)
                if "cannot lock ref" not in error.stderr:
                    raise
                # A ref `a` of ours and a ref `a/b` of the forge exclude each other: prune first.
                self._without_stale_locks(
                    lambda: self.git("remote", "prune", "origin", why="pruning")
                )
                self.moving_refs(fetch)
        self._limits.check(self.refs("refs/"))

    def update(self, lines: Sequence[str]) -> None:
        """Update refs of the mirror, with lines for git-update-ref(1) ``--stdin``."""
        with self.lock("fetch"):
            data = "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")
            self._without_stale_locks(
                lambda: self.git("update-ref", "--stdin", stdin=data, why="updating refs")
            )

    def _without_stale_locks(self, act: Callable[[], object]) -> None:
        """Change refs under our lock; remove git's lock files in the way and try again.

        git removes its lock files at its end unless it is killed; under our lock no other git runs.
        """
        try:
            self.moving_refs(act)
        except CommandError as error:
            stale = re.findall(r"'([^'\n]+\.lock)': File exists", error.stderr)
            inside = [Path(path) for path in stale if Path(path).is_relative_to(self.git_dir)]
            if not inside:
                raise
            for path in inside:
                path.unlink(missing_ok=True)
            self.moving_refs(act)

    def moving_refs(self, act: Callable[[], object]) -> None:
        """Do something that updates refs of the mirror; they are read again afterwards."""
        try:
            act()
        finally:
            self.ref_cache.invalidate()

    def ls_remote(self, *patterns: str) -> dict[str, str]:
        """Refs of the forge's repository with their object ids.

        :raises OutsideError: when the forge does not answer.
        """
        done = process.run(
            ["git", "ls-remote", "--refs", "--end-of-options", self.url, *patterns],
            env=self.environment.variables,
            timeout=60,
            why=f"listing refs of {self.url}",
        )
        rows = (line.split("\t", 1) for line in done.stdout.decode("utf-8", "replace").splitlines())
        return {row[1]: row[0] for row in rows if len(row) == 2}

    def tip(self, branch: str) -> str | None:
        """The commit of a branch as last fetched; *branch* is without ``refs/heads/``."""
        ref = f"refs/remotes/origin/{branch}"
        return self.refs(ref).get(ref)

    def push(self, updates: Sequence[RefUpdate]) -> bool:
        """See :func:`~tea_runner.dataset.ref_push.push_refs`."""
        return push_refs(self, updates)


def refuse_damaged(error: CommandError) -> None:
    """Raise a permanent error if git rejected the objects themselves.

    :raises Refused: when an object failed fsck: another try would fail, too.
    """
    match = _FSCK_ERROR.search(error.stderr)
    if match:
        raise Refused(
            f"the repository fails git's integrity check: {match[0].strip()}",
            hint="see it with git fsck, and take that commit out of the history",
        ) from error


def mirror_path(root: Path, repository: str) -> Path:
    """Git directory of the mirror of ``owner/name`` below *root*."""
    return root / (quote(repository, safe="") + ".git")
