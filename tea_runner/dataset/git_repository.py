"""A git repository on this machine: run git in it, read its refs and objects, write objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tea_runner.core.datums.content_identity import SMALL_BLOB
from tea_runner.core.errors import InputRefused, Refused
from tea_runner.dataset.cat_file import MAX_OBJECT
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
#: Options of commands that read or write large blobs without holding them in memory (git-config(1),
#: ``core.bigFileThreshold``).
_STREAM = ("-c", "core.bigFileThreshold=1m", "-c", "core.compression=1")


class GitRepository:
    """A repository, given by its git directory."""

    #: Directory with ``HEAD``; in a linked working tree another one than that of refs and objects.
    head_dir: Path

    def __init__(self, git_dir: Path, environment: GitEnvironment) -> None:
        self.git_dir = self.head_dir = git_dir
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
            ["git", f"--git-dir={self.head_dir}", *arguments],
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

    def write_blob(self, oid: str, path: Path, most: int | None = None) -> None:
        """Write a blob to a file; one that the partial clone left out is fetched first.

        :param most: bytes of the largest blob that is written; None for no limit.
        :raises InputRefused: when it is larger.
        :raises OutsideError: when it cannot be fetched.
        """
        data = self.objects.small_blobs([oid])[oid]
        if data is not None:
            path.write_bytes(data)
            return
        size = self.blob_size(oid)
        if most is not None and size > most:
            raise InputRefused(
                f"input {path.name} has {size} bytes and is kept in git, more than the {most} that "
                f"sandbox.git_file_size allows",
                hint="annex it",
            )
        with path.open("wb") as file:
            process.run(
                [
                    "git",
                    f"--git-dir={self.git_dir}",
                    *PARTIAL_CLONE,
                    *_STREAM,
                    "cat-file",
                    "blob",
                    oid,
                ],
                env=self.environment.variables,
                cwd=self.git_dir,
                stdout=file,
                why="reading a file kept in git",
            )

    def read_blob(self, oid: str, why: str) -> bytes:
        """A blob of at most 64 MiB; one that the partial clone left out is fetched first.

        :raises Refused: when it is larger.
        :raises OutsideError: when it cannot be fetched.
        """
        size = self.blob_size(oid)
        if size > MAX_OBJECT:
            raise Refused(f"blob {oid} takes {size} bytes, more than {MAX_OBJECT >> 20} MiB")
        return self.git(*PARTIAL_CLONE, "cat-file", "blob", oid, why=why)

    def blob_size(self, oid: str) -> int:
        """Bytes of a blob; one that the partial clone left out is fetched first.

        :raises OutsideError: when it cannot be fetched.
        """
        return int(
            self.git(*PARTIAL_CLONE, "cat-file", "-s", oid, why="fetching a file kept in git")
        )

    def add_file(self, path: Path, *, write: bool = True) -> str:
        """Write a file's content as a blob, without reading it whole, and return its id.

        :param write: False to compute the id alone.
        :raises OutsideError: when git ends with an error.
        """
        argv = ["git", f"--git-dir={self.git_dir}", *_STREAM, "hash-object", "--no-filters"]
        argv += ["-w"] if write else []
        with path.open("rb") as file:
            done = process.run(
                [*argv, "--stdin"],
                env=self.environment.variables,
                cwd=self.git_dir,
                stdin=file,
                why="saving a result",
            )
        return done.stdout.decode().strip()

    def close(self) -> None:
        """End the processes behind it."""
        self.objects.close()
