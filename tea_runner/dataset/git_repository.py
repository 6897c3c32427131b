"""A git repository on this machine: run git in it, read its refs and objects, write objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tea_runner.core.datums.content_identity import SMALL_BLOB
from tea_runner.dataset.git_environment import GitEnvironment
from tea_runner.dataset.object_reader import ObjectReader
from tea_runner.dataset.object_writer import ObjectWriter
from tea_runner.dataset.ref_cache import RefCache
from tea_runner.host import process

#: Options of commands that may fetch objects which a partial clone left out
#: (git-config(1), ``remote.<name>.promisor``).
PARTIAL_CLONE = (
    "-c",
    "remote.origin.promisor=true",
    "-c",
    f"remote.origin.partialclonefilter=blob:limit={SMALL_BLOB}",
)


class GitRepository:
    """A repository, given by its git directory."""

    def __init__(self, git_dir: Path, environment: GitEnvironment) -> None:
        self.git_dir = git_dir
        self.environment = environment
        self.objects = ObjectReader(git_dir, environment)
        self.ref_cache = RefCache(git_dir)

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
        """Run git in this repository and return its output.

        :param timeout: seconds.
        :param prefix: a command that executes git, such as prlimit(1) with options.
        :raises CommandError: when it fails and *check* is true.
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

    def refs(self, prefix: str) -> dict[str, str]:
        """Refs below *prefix* with their object ids."""
        return self.ref_cache.below(
            prefix,
            lambda prefix: self.git(
                "for-each-ref", "--format=%(objectname) %(refname)", prefix, why="listing refs"
            ),
        )

    def writer(self, sign: Callable[[bytes], bytes] | None = None) -> ObjectWriter:
        """A writer of objects to this repository.

        :param sign: signs results commits; without it they are unsigned.
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
        """Write a blob to a file; one that the partial clone left out is fetched first.

        :raises OutsideError: when it cannot be fetched.
        """
        data = self.objects.blob(oid)
        if data is None:
            data = self.git(
                *PARTIAL_CLONE, "cat-file", "blob", oid, why="fetching a file kept in git"
            )
        path.write_bytes(data)

    def close(self) -> None:
        """End the processes behind it."""
        self.objects.close()
