"""Verify that content files match the checksums in their annex keys.

git-annex verifies what it fetches.  A file that is in a mirror already may have been truncated by a full
disk or changed by a failing one: each process hashes it once, and again when its inode has changed.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
from pathlib import Path

from tea_runner.core.datums.content_identity import key_content, key_size

log = logging.getLogger(__name__)

_MAX_FILES = 200_000
#: Backend of git-annex, without a final E, to the algorithm's name in hashlib.
_ALGORITHMS = {
    **{name: name.lower() for name in ("MD5", "SHA1", "SHA224", "SHA256", "SHA384", "SHA512")},
    **{f"SHA3_{bits}": f"sha3_{bits}" for bits in (224, 256, 384, 512)},
}

Identity = tuple[int, int, int, int, int]


class ChecksumVerifier:
    """The files that this process has verified."""

    def __init__(self) -> None:
        self._known: dict[Path, Identity] = {}

    def note(self, path: Path) -> None:
        """Record that a file was just verified by git-annex."""
        if len(self._known) >= _MAX_FILES:
            self._known.clear()
        self._known[path] = _identity(path)

    def is_whole(self, path: Path, key: str) -> bool:
        """Whether a file has the content of a key.

        :raises OSError: when it cannot be read.
        """
        if self._known.get(path) == _identity(path):
            return True
        if key_size(key) not in (None, path.stat().st_size):
            return False
        content = key_content(key)
        name = _ALGORITHMS.get(content.algorithm) if content else None
        if content is not None and name is not None:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, name).hexdigest()
            if digest != content.digest:
                return False
        self.note(path)
        return True


def quarantine(path: Path, bad: Path) -> None:
    """Move a damaged file out of the annex, for inspection."""
    log.error("%s is damaged; moved to %s, will be fetched again", path, bad)
    bad.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        path.parent.chmod(0o755)
        os.replace(path, bad / path.name)


def _identity(path: Path) -> Identity:
    facts = path.stat()
    return facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns
