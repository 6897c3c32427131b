"""Archive of small files of this machine, with their modes; a tar file that only its owner can read."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from tea_runner.core.errors import OutsideError, UserError

#: Bytes of the largest file of an archive, and number of its files.
_LARGEST, _MOST = 16 << 20, 100_000


@dataclass(frozen=True, kw_only=True)
class ArchivedFile:
    """One file of an archive."""

    content: bytes = field(repr=False)
    mode: int


def write_archive(archive: Path, files: Mapping[str, Path], texts: Mapping[str, str]) -> None:
    """Write files under these names; a former archive is replaced at once, when all is written.

    :param texts: more files, by name, which are on no disk.
    :raises OutsideError: when one cannot be read, or the archive not be written.
    """
    part = archive.with_name(f".{archive.name}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            with tarfile.open(fileobj=out, mode="w") as tar:
                for name, path in sorted(files.items()):
                    _add(tar, name, path.read_bytes(), path.stat().st_mode)
                for name, text in texts.items():
                    _add(tar, name, text.encode(), 0o600)
            out.flush()
            os.fsync(out.fileno())
        os.replace(part, archive)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise OutsideError(f"{error.filename or archive}: {error.strerror}") from error


def _add(tar: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    entry.mode = mode & 0o777
    tar.addfile(entry, io.BytesIO(content))


def read_archive(archive: Path) -> dict[str, ArchivedFile]:
    """The files of an archive by name; nothing is written.

    :raises UserError: when it is none of :func:`write_archive`.
    """
    found: dict[str, ArchivedFile] = {}
    try:
        with tarfile.open(archive, mode="r:") as tar:
            for entry in tar:
                parts = PurePosixPath(entry.name).parts
                if not entry.isreg() or entry.size > _LARGEST or len(found) >= _MOST:
                    raise UserError(f"{archive}: {entry.name!r} belongs to no backup")
                if not parts or entry.name.startswith("/") or ".." in parts or "\0" in entry.name:
                    raise UserError(f"{archive}: {entry.name!r} leads out of the backup")
                stored = tar.extractfile(entry)
                assert stored is not None
                found[entry.name] = ArchivedFile(content=stored.read(), mode=entry.mode & 0o777)
    except tarfile.TarError as error:
        raise UserError(f"{archive}: is no backup: {error}") from error
    except OSError as error:
        raise UserError(f"{archive}: cannot be read: {error.strerror}") from error
    return found


def restore_file(path: Path, file: ArchivedFile) -> None:
    """Put a file in its place at once; its folder is made if need be.

    :raises OutsideError: when it cannot be written.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            out.write(file.content)
            os.fchmod(descriptor, file.mode)
            out.flush()
            os.fsync(out.fileno())
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise OutsideError(f"{path}: cannot be written: {error.strerror}") from error
