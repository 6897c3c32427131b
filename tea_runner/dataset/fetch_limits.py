"""Limits on what a fetch may bring, and the permanent errors for a fetch that exceeds them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from tea_runner.core.errors import CommandError, Refused

#: Bytes of memory (RLIMIT_DATA) of each process of a fetch: a small pack can hold a tree of gigabytes.
_MEMORY = 4 << 30
#: git's messages when RLIMIT_FSIZE (SIGXFSZ is signal 25) or RLIMIT_DATA is exceeded.
_FILE_LIMIT = re.compile(r"signal 25\b|File too large")
_MEMORY_LIMIT = re.compile(r"[Oo]ut of memory|Cannot allocate memory")


@dataclass(frozen=True, kw_only=True)
class FetchLimits:
    """The settings ``forge.max_fetch`` and ``forge.max_refs``."""

    #: Bytes of one fetch.
    size: int = 16 << 30
    #: Branches and results of jobs.
    refs: int = 50_000

    def check(self, refs: Collection[str]) -> None:
        """Check the number of a repository's refs.

        :raises Refused: when there are too many.
        """
        count = sum(ref.startswith(("refs/heads/", "refs/remotes/", "refs/tea/")) for ref in refs)
        if count > self.refs:
            raise Refused(
                f"the repository has {count} refs, more than the {self.refs} that "
                "forge.max_refs allows",
                hint="delete branches that are not needed, or raise it",
            )

    def prlimit_prefix(self) -> tuple[str, ...]:
        """A prlimit(1) command that executes another with limits on file size and memory.

        git has no limit of its own for a fetch (``receive.maxInputSize`` is for pushes that it receives).
        """
        if shutil.which("prlimit") is None:
            return ()
        return ("prlimit", f"--fsize={self.size}", f"--data={_MEMORY}", "--")

    def refuse_excess(self, error: CommandError, git_dir: Path) -> None:
        """Raise a permanent error if a fetch failed at a limit, and remove the pack that it left.

        :raises Refused: when it did: another try would fail, too.
        """
        if _FILE_LIMIT.search(error.stderr):
            for path in (git_dir / "objects" / "pack").glob("tmp_pack_*"):
                # Smaller ones may belong to a running process.
                if path.stat().st_size >= self.size:
                    path.unlink(missing_ok=True)
            raise Refused(
                f"the repository sends more than the {self.size} bytes that forge.max_fetch allows",
                hint="take large files out of its history, or raise it",
            ) from error
        if _MEMORY_LIMIT.search(error.stderr):
            raise Refused(
                f"git needs more than {_MEMORY >> 30} GiB of memory for what the repository sends",
                hint="find the large objects with git fsck and git rev-list --objects",
            ) from error
