"""What a fetch brings, or the error it ended with, in; nothing out, or why the repository is refused."""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from tea_runner.core.errors import CommandError, Refused

#: Bytes of memory for each process of a fetch: a small pack can hold a tree of gigabytes.
_MEMORY = 4 << 30
#: What git says of a process that wrote or wanted more than it may.
_TOO_LARGE = re.compile(r"signal 25\b|File too large")
_TOO_MUCH = re.compile(r"[Oo]ut of memory|Cannot allocate memory")


@dataclass(frozen=True, kw_only=True)
class FetchLimits:
    """What a repository may bring here: the settings ``forge.max_fetch`` and ``forge.max_refs``."""

    #: Bytes of one fetch.
    size: int = 16 << 30
    #: Branches and unsettled results.
    refs: int = 50_000

    def check(self, refs: Collection[str]) -> None:
        """Look at the names of a repository's refs.

        :raises Refused: when there are too many.
        """
        count = sum(ref.startswith(("refs/heads/", "refs/remotes/", "refs/tea/")) for ref in refs)
        if count > self.refs:
            raise Refused(
                f"the repository has {count} refs, more than the {self.refs} that "
                f"forge.max_refs allows; delete branches that are not needed, or raise it"
            )

    def prlimit_prefix(self) -> tuple[str, ...]:
        """What starts a program that may write files of so many bytes, and have so much memory."""
        if shutil.which("prlimit") is None:
            return ()
        return ("prlimit", f"--fsize={self.size}", f"--data={_MEMORY}", "--")

    def refuse(self, error: CommandError, git_dir: Path) -> None:
        """See whether a fetch ended at a bound, and take away what it left behind.

        :raises Refused: when it did: trying again does not help.
        """
        if _TOO_LARGE.search(error.stderr):
            for path in (git_dir / "objects" / "pack").glob("tmp_pack_*"):
                # Others may be somebody's who is at work.
                if path.stat().st_size >= self.size:
                    path.unlink(missing_ok=True)
            raise Refused(
                f"the repository sends more than the {self.size} bytes that "
                f"forge.max_fetch allows; take large files out of its history, or raise it"
            ) from error
        if _TOO_MUCH.search(error.stderr):
            raise Refused(
                f"git needs more than {_MEMORY >> 30} GiB of memory for what the repository sends; "
                f"see with git fsck and git rev-list --objects what is that large"
            ) from error
