"""A forge's repository in, a bare partial copy of it out: what planner, worker and settler read from.

Branches stand under ``refs/remotes/origin/``, results of unsettled jobs under ``refs/tea/``.  Trees
come whole; of blobs only those small enough to be annex pointers or pipeline files.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from tea_runner.core.datums.content_identity import SMALL_BLOB
from tea_runner.core.errors import CommandError, OutsideError, Refused
from tea_runner.dataset.fetch_limits import FetchLimits
from tea_runner.dataset.git_environment import GitEnvironment
from tea_runner.dataset.git_objects import ObjectReader, ObjectWriter
from tea_runner.dataset.ref_cache import RefCache
from tea_runner.host import process

_PARTIAL = (
    "-c",
    "remote.origin.promisor=true",
    "-c",
    f"remote.origin.partialclonefilter=blob:limit={SMALL_BLOB}",
)
#: What index-pack says of objects that fsck refuses.
_DAMAGE = re.compile(r"(?m)object [0-9a-f]{40,64}: [A-Za-z]+: .*$")
#: Beginnings of the refs that a fetch brings.
FETCHED = ("refs/heads/", "refs/tea/")
_REFSPECS = ("+refs/heads/*:refs/remotes/origin/*", "+refs/tea/*:refs/tea/*")


class Mirror:
    """One repository's local copy."""

    def __init__(
        self,
        git_dir: Path,
        url: str,
        environment: GitEnvironment,
        bounds: FetchLimits | None = None,
    ) -> None:
        self.git_dir = git_dir
        self.url = url
        self.environment = environment
        self._bounds = bounds or FetchLimits()
        self.objects = ObjectReader(git_dir, environment)
        self._refs = RefCache(git_dir)

    def git(
        self,
        *arguments: str,
        stdin: bytes | None = None,
        timeout: float = 600,
        check: bool = True,
        why: str = "",
        env: Mapping[str, str] | None = None,
        prefix: Sequence[str] = (),
    ) -> bytes:
        """Run git on this repository and return its output.

        :param prefix: a command that executes git, such as prlimit(1) with options.
        """
        done = process.run(
            ["git", f"--git-dir={self.git_dir}", *arguments],
            env=env or self.environment.variables,
            cwd=self.git_dir,
            stdin=stdin,
            timeout=timeout,
            check=check,
            why=why,
            prefix=prefix,
        )
        return bytes(done.stdout)

    def ensure(self) -> None:
        """Make the repository when it is absent; a half-made one is thrown away.

        Several processes may call this at once.
        """
        if (self.git_dir / "tea-ready").exists():
            return
        self.git_dir.parent.mkdir(parents=True, exist_ok=True)
        with self.lock("make"):
            if (self.git_dir / "tea-ready").exists():
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
            (temporary / "tea-ready").touch()
            os.replace(temporary, self.git_dir)

    def _object_format(self) -> str:
        """``sha256`` where the forge's repository is of that format."""
        refs = self.ls_remote()
        self._bounds.check(refs)
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
        """A lock between processes of this host; it dies with its owner."""
        path = self.git_dir.with_name(f".{self.git_dir.name}.{name}.lock")
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def fetch(self, *refspecs: str) -> None:
        """Bring all branches and unsettled results here, and forget what the forge has forgotten.

        :raises OutsideError: when the forge does not answer; refs are then as they were.
        :raises Refused: when what it sends fails git's integrity check, or is more than it may be.
        """
        self.ensure()
        arguments = [*_PARTIAL, "fetch", "-q", "--no-tags", "--no-write-fetch-head"]
        arguments += ["--recurse-submodules=no", f"--filter=blob:limit={SMALL_BLOB}"]
        if not refspecs:
            arguments.append("--prune")

        def fetch() -> None:
            self.git(
                *arguments,
                "origin",
                *refspecs,
                why=f"fetching {self.url}",
                prefix=self._bounds.prlimit_prefix(),
            )

        with self.lock("fetch"):
            try:
                self._mended(fetch)
            except CommandError as error:
                refuse_damaged(error)
                self._bounds.refuse(error, self.git_dir)
                if "cannot lock ref" not in error.stderr:
                    raise
                # Another ref stands where a directory is wanted: prune first, then again.
                self._mended(lambda: self.git("remote", "prune", "origin", why="pruning"))
                self._move(fetch)
        self._bounds.check(self.refs("refs/"))

    def update(self, lines: Sequence[str]) -> None:
        """Move refs here, as ``git update-ref --stdin`` wants to be told."""
        with self.lock("fetch"):
            data = "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")
            self._mended(lambda: self.git("update-ref", "--stdin", stdin=data, why="noting refs"))

    def _mended(self, act: Callable[[], object]) -> None:
        """Do something to refs under our lock; locks of git that are there then are of the dead.

        git removes its lock files when it ends, unless it was killed.
        """
        try:
            self._move(act)
        except CommandError as error:
            stale = re.findall(r"'([^'\n]+\.lock)': File exists", error.stderr)
            inside = [Path(path) for path in stale if Path(path).is_relative_to(self.git_dir)]
            if not inside:
                raise
            for path in inside:
                path.unlink(missing_ok=True)
            self._move(act)

    def _move(self, act: Callable[[], object]) -> None:
        try:
            act()
        finally:
            self._refs.moved()

    def ls_remote(self, *patterns: str) -> dict[str, str]:
        """Refs of the forge's repository with their ids, in one request.

        :raises OutsideError: when the forge does not answer: that is never "no refs".
        """
        done = process.run(
            ["git", "ls-remote", "--refs", "--end-of-options", self.url, *patterns],
            env=self.environment.variables,
            timeout=60,
            why=f"listing refs of {self.url}",
        )
        rows = (line.split("\t", 1) for line in done.stdout.decode("utf-8", "replace").splitlines())
        return {row[1]: row[0] for row in rows if len(row) == 2}

    def refs(self, prefix: str) -> dict[str, str]:
        """Local refs below *prefix* with their ids."""
        return self._refs.below(prefix, self._read_refs)

    def _read_refs(self, prefix: str) -> bytes:
        return self.git("for-each-ref", "--format=%(objectname) %(refname)", prefix)

    def tip(self, branch: str) -> str | None:
        """The commit of a branch as last fetched; *branch* without ``refs/heads/``."""
        found = self.refs(f"refs/remotes/origin/{branch}")
        return found.get(f"refs/remotes/origin/{branch}")

    def writer(self, sign: Callable[[bytes], bytes] | None = None) -> ObjectWriter:
        """A writer that adds objects to this repository.

        :param sign: signs results commits; without it they stay unsigned.
        """
        oid_hex = 64 if b"sha256" in (self.git_dir / "config").read_bytes() else 40
        return ObjectWriter(
            self.git_dir,
            self.environment,
            oid_hex=oid_hex,
            written=self.objects.remember,
            sign=sign,
        )

    def write_blob(self, oid: str, path: Path) -> None:
        """Write a file that is kept in git to *path*; a large one is fetched first.

        :raises OutsideError: when the forge does not give it.
        """
        data = self.objects.blob(oid)
        if data is None:
            data = self.git(*_PARTIAL, "cat-file", "blob", oid, why="fetching a file kept in git")
        path.write_bytes(data)

    def push(self, updates: Sequence[tuple[str, str, str | None]]) -> bool:
        """Move refs on the forge, all or none, each only from the value that is expected.

        :param updates: (ref, new id or "" to delete, expected id or None for "must not exist").
        :returns: False when a ref had another value, so that nothing was moved.
        :raises CommandError: when the forge declined or could not be reached.
        """
        leases = [f"--force-with-lease={ref}:{expected or ''}" for ref, _, expected in updates]
        specs = [f"{new}:{ref}" for ref, new, _ in updates]
        try:
            # git notes what it pushed in the refs of the remote.
            self._move(
                lambda: self.git(
                    *_PARTIAL,
                    "push",
                    "-q",
                    "--atomic",
                    "--porcelain",
                    "--no-follow-tags",
                    "--no-verify",
                    *leases,
                    "origin",
                    *specs,
                    why=f"pushing to {self.url}",
                )
            )
        except CommandError as error:
            return self._after_refusal(updates, error)
        return True

    def _after_refusal(
        self, updates: Sequence[tuple[str, str, str | None]], error: CommandError
    ) -> bool:
        """The forge may have acted although its answer was cut off: ask it."""
        try:
            there = self.ls_remote(*(ref for ref, _, _ in updates))
        except OutsideError as unanswered:
            raise error from unanswered
        if all(there.get(ref, "") == new for ref, new, _ in updates):
            return True
        if any(there.get(ref, "") != (expected or "") for ref, _, expected in updates):
            return False
        if "cannot lock ref" in error.stderr or "stale info" in error.stderr:
            return False
        raise error

    def close(self) -> None:
        """End the processes behind it."""
        self.objects.close()


def refuse_damaged(error: CommandError) -> None:
    """Trying again does not mend what a repository holds.

    :raises Refused: when git refused the objects themselves.
    """
    found = _DAMAGE.search(error.stderr)
    if found:
        raise Refused(
            f"the repository fails git's integrity check: {found[0].strip()}; "
            f"see it with git fsck, and take that commit out of the history"
        ) from error


def mirror_path(root: Path, repository: str) -> Path:
    """Where the mirror of ``owner/name`` lies below *root*: one directory per repository."""
    return root / (quote(repository, safe="") + ".git")
