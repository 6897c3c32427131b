"""Content files of annex keys in a repository's ``annex/objects`` directory."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

from tea_runner.core.datums.content_identity import key_size
from tea_runner.core.errors import OutsideError
from tea_runner.core.git.annex_paths import file_name, lower_directory, mixed_directory
from tea_runner.dataset.checksum_verifier import ChecksumVerifier, quarantine


class AnnexObjects:
    """The content files of one repository.

    git-annex stores content below a directory in lower case in bare repositories, and in mixed case
    elsewhere, and reads both (git-annex, "internals", ``annex/objects/aa/bb/``).

    :param hash_directory: the directory of a key's new content.
    :param bad_directory: where damaged files are moved; None leaves them in place.
    """

    def __init__(
        self,
        git_dir: Path,
        *,
        hash_directory: Callable[[str], str],
        bad_directory: Path | None,
    ) -> None:
        self._annex_dir = git_dir / "annex"
        self._hash_directory = hash_directory
        self._bad_directory = bad_directory
        self._verifier = ChecksumVerifier()

    def verified(self, key: str) -> Path | None:
        """The content file of a key after its checksum was verified; None when there is none.

        :raises OutsideError: for a damaged file that may not be moved.
        """
        for path in self._paths(key):
            with contextlib.suppress(FileNotFoundError):
                if self._verifier.is_whole(path, key):
                    return path
                if self._bad_directory is None:
                    raise OutsideError(
                        f"the content of {key} is damaged", hint="see git annex fsck"
                    )
                quarantine(path, self._bad_directory)
        return None

    def present(self, key: str) -> Path | None:
        """The content file of a key if it exists with the right size."""
        for path in self._paths(key):
            with contextlib.suppress(OSError):
                if key_size(key) in (None, path.stat().st_size):
                    return path
        return None

    def fetched(self, key: str) -> Path | None:
        """The content file of a key that git-annex has just fetched, and so verified."""
        path = self.present(key)
        if path is not None:
            self._verifier.note(path)
        return path

    def _paths(self, key: str) -> Iterator[Path]:
        name = file_name(key)
        for directory in (lower_directory(key), mixed_directory(key)):
            yield self._annex_dir / "objects" / directory / name / name

    def insert(self, file: Path, key: str) -> None:
        """Store a copy of a file as the content of a key."""
        if self.verified(key) is not None:
            return
        name = file_name(key)
        final = self._annex_dir / "objects" / self._hash_directory(key) / name
        final.parent.mkdir(parents=True, exist_ok=True)
        # A unique name: threads of one process may insert the same content at the same time.
        temporary = self._annex_dir / "tmp" / f"tea-{uuid4().hex}"
        temporary.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, temporary)
        temporary.chmod(0o444)
        with contextlib.suppress(FileExistsError):
            final.mkdir()
        with contextlib.suppress(PermissionError):
            final.chmod(0o755)
        os.replace(temporary, final / name)
        # As git-annex does: a directory without write permission protects its file.
        final.chmod(0o555)
