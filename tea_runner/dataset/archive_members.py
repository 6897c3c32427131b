"""Reads single files out of archives that people made: tar, also compressed, and zip.

No program is started, nothing else is unpacked, no path of an archive becomes a path here, and what is
read is limited: archives are as hostile as anything that is pushed.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import posixpath
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from tea_runner.core.errors import Refused

#: Bytes that are read out of an archive at once; also the most for a header, which tarfile reads whole.
_CHUNK, _MOST_AT_ONCE = 1 << 20, 16 << 20
#: A compressed archive may become this many times its size, and a gibibyte.
_RATIO, _FREE = 100, 1 << 30
#: What damaged archives raise; see the documentation of these modules.
_DAMAGED = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError)
_UNSUPPORTED = (NotImplementedError, RuntimeError, ValueError)
_COMPRESSED: dict[bytes, Callable[..., Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\0": lzma.open,
}


def archive_members(archive: Path, paths: Collection[str]) -> Iterator[tuple[str, IO[bytes]]]:
    """Some files of an archive, each open for reading until the next one is asked for.

    A compressed tar is read once, whatever the number of files.

    :param paths: in the archive; files that it does not have are left out.
    :raises Refused: when it is no tar and no zip, is damaged, or becomes too large.
    """
    wanted = {_clean(path): path for path in paths}
    try:
        if zipfile.is_zipfile(archive):
            yield from _of_zip(archive, wanted)
        else:
            yield from _of_tar(archive, wanted)
    except _DAMAGED as error:
        raise Refused(f"the archive is damaged, or no tar and no zip: {error}") from error
    except _UNSUPPORTED as error:
        raise Refused(f"the archive cannot be read: {error}") from error


def _clean(path: str) -> str:
    return posixpath.normpath(path).lstrip("/")


def _of_zip(archive: Path, wanted: dict[str, str]) -> Iterator[tuple[str, IO[bytes]]]:
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            path = wanted.get(_clean(info.filename))
            if path is not None and not info.is_dir():
                with opened.open(info) as file:
                    yield path, file


def _of_tar(archive: Path, wanted: dict[str, str]) -> Iterator[tuple[str, IO[bytes]]]:
    with _decompressed(archive) as plain, tarfile.open(fileobj=plain, mode="r:") as opened:
        left = set(wanted)
        for member in opened:
            name = _clean(member.name)
            # Hard links lead to members before them; symlinks may lead anywhere.
            if name not in left or not (member.isreg() or member.islnk()):
                continue
            left.discard(name)
            file = opened.extractfile(member)
            if file is not None:
                yield wanted[name], file
            if not left:
                return


@contextmanager
def _decompressed(archive: Path) -> Iterator[IO[bytes]]:
    with archive.open("rb") as file:
        start = file.read(6)
    size = archive.stat().st_size
    open_as = next((by for magic, by in _COMPRESSED.items() if start.startswith(magic)), None)
    if open_as is None:
        with archive.open("rb") as file:
            yield file
        return
    with open_as(archive, "rb") as unpacked:
        limited = _Limited(cast("BinaryIO", unpacked), _RATIO * size + _FREE)
        yield cast("IO[bytes]", limited)


class _Limited:
    """A file of which neither much at once nor more than a limit is read."""

    def __init__(self, file: BinaryIO, most: int) -> None:
        self._file = file
        self._most = most

    def read(self, size: int = -1) -> bytes:
        """Read some bytes; see :class:`io.RawIOBase`."""
        if not 0 <= size <= _MOST_AT_ONCE:
            raise tarfile.ReadError("a header is too large")
        self._check(self._file.tell() + size)
        return self._file.read(size)

    def tell(self) -> int:
        """The position."""
        return self._file.tell()

    def seek(self, position: int, whence: int = 0) -> int:
        """Go to a position."""
        self._check(position)
        return self._file.seek(position, whence)

    def _check(self, position: int) -> None:
        if position > self._most:
            raise tarfile.ReadError(f"unpacked it has more than {self._most} bytes")
