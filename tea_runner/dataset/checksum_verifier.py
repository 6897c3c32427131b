"""Files of annexed content in, whether their bytes are those of their keys out.

What git-annex fetches it verifies.  What lies in a mirror may have been cut off by a full disk or
changed by a failing one since: each file is hashed once by each process, and again when its inode says
that it is another one.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
from pathlib import Path

from tea_runner.core.datums.content_identity import key_content, key_size

log = logging.getLogger(__name__)

_MOST = 200_000
_ALGORITHMS = {
    **{name: name.lower() for name in ("MD5", "SHA1", "SHA224", "SHA256", "SHA384", "SHA512")},
    **{f"SHA3_{bits}": f"sha3_{bits}" for bits in (224, 256, 384, 512)},
}

Identity = tuple[int, int, int, int, int]


class ChecksumVerifier:
    """What this process has verified."""

    def __init__(self) -> None:
        self._known: dict[Path, Identity] = {}

    def note(self, path: Path) -> None:
        """Somebody else has just verified this file."""
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[path] = _identity(path)

    def is_whole(self, path: Path, key: str) -> bool:
        """Whether the file has the key's content.

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
    """Put a damaged file where nobody takes it for content, for a person to look at."""
    log.error("%s is damaged; it is moved to %s and fetched again", path, bad)
    bad.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        path.parent.chmod(0o755)
        os.replace(path, bad / path.name)


def _identity(path: Path) -> Identity:
    about = path.stat()
    return about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns


def deadline(size: int) -> float:
    """Seconds after which git-annex, or a storage behind it, hangs: at worst 1 MiB/s is moved."""
    return 600 + size / 2**20
