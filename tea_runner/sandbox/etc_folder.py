"""This machine's ``/etc`` in, those pieces of it out that a sandbox shows, in a folder made once.

Without them programs do not start or do not find their own parts.  To show each by itself is a dozen
mounts and more, which were a third of what a sandbox took; a folder of copies is one.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import shutil
import stat
import tempfile
import time
import weakref
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from tea_runner.core.errors import OutsideError
from tea_runner.sandbox.bubblewrap_options import USER, Bind

#: Shown where they exist. Debian and Fedora keep parts of R, Java, fonts and certificates here.
_ETC = (
    "ld.so.cache",
    "localtime",
    "timezone",
    "alternatives",
    "ssl/certs",
    "ssl/openssl.cnf",
    "pki/tls/certs",
    "pki/ca-trust/extracted",
    "fonts",
    "mime.types",
    "protocols",
    "services",
    "R",
    "perl",
    "octave.conf",
    "matplotlibrc",
    "magic",
    "papersize",
)
_ETC_PATTERNS = ("java-*", "ImageMagick-*", "python3*")

#: Shown only with a network.
_ETC_NETWORK = ("resolv.conf",)

_PASSWD = f"root:x:0:0:root:/:/usr/sbin/nologin\nnobody:x:{USER}:{USER}:nobody:/tmp:/bin/sh\n"
_GROUP = f"root:x:0:\nnogroup:x:{USER}:\n"
_NSSWITCH = "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n"
_HOSTS = "127.0.0.1 localhost\n::1 localhost\n"

#: Made anew: the machine's own would tell who lives here, or ask servers that cannot be reached.
FILES = {
    "/etc/passwd": _PASSWD,
    "/etc/group": _GROUP,
    "/etc/nsswitch.conf": _NSSWITCH,
    "/etc/hosts": _HOSTS,
}


#: Part of a folder's name: another way to make it is another folder.
_FORMAT = b"1"
#: Seconds after which a folder that is not the newest is nobody's any more.
_OLD = 30 * 86_400.0


def pieces(etc: Path, *, network: bool) -> tuple[str, ...]:
    """The names below *etc* that are shown, where they exist."""
    # Looked for once, and again when something was put there or taken away.
    return _pieces(etc, network, os.stat(etc).st_mtime_ns)


@functools.lru_cache(maxsize=8)
def _pieces(etc: Path, network: bool, changed: int) -> tuple[str, ...]:  # noqa: ARG001 - makes another call
    names = [name for name in _ETC if (etc / name).exists()]
    names += sorted(str(p.relative_to(etc)) for glob in _ETC_PATTERNS for p in etc.glob(glob))
    if network:
        names += [name for name in _ETC_NETWORK if (etc / name).exists()]
    return tuple(names)


class EtcFolder:
    """Folders with copies of the pieces, below one place; processes may share it."""

    def __init__(
        self, place: Path | None = None, etc: Path = Path("/etc"), *, fresh: float = 1.0
    ) -> None:
        """A maker of folders.

        :param place: where they are kept; absent, a place of this process's own that goes with it.
        :param fresh: seconds for which nobody looks whether a piece has changed.
        """
        self._fresh = fresh
        self._place = place
        self._etc = etc
        #: With and without a network: how the pieces stood, and the folder with them.
        self._known: dict[bool, tuple[object, Path]] = {}
        #: When they were last looked at, by the monotonic clock.
        self._looked: dict[bool, float] = {}

    def binds(self, *, apart: bool, network: bool) -> tuple[Bind, ...]:
        """What shows them.

        :param apart: each by itself, without :data:`FILES`: for a sandbox that has something of its own
            beside them.
        """
        if not apart:
            return (Bind(source=str(self.path(network=network)), target="/etc"),)
        return tuple(
            Bind(source=str(self._etc / name), target=f"/etc/{name}")
            for name in pieces(self._etc, network=network)
        )

    def path(self, *, network: bool) -> Path:
        """The folder with the pieces as they are now, or were a moment ago.

        A file deep in one of them that was written in place is noticed by the next process only.

        :raises OutsideError: when it cannot be made.
        """
        now = time.monotonic()
        known = self._known.get(network)
        there = known is not None and known[1].is_dir()
        if known and there and now - self._looked[network] < self._fresh:
            return known[1]
        stamp = [
            (name, found.st_ino, found.st_mtime_ns, found.st_size)
            for name in pieces(self._etc, network=network)
            if (found := _look(self._etc / name)) is not None
        ]
        if known and there and known[0] == stamp:
            self._looked[network] = now
            return known[1]
        try:
            made = self._make([name for name, *_ in stamp])
        except OSError as error:
            raise OutsideError(
                f"what sandboxes see of {self._etc} cannot be copied to {self._place}: "
                f"{error.strerror}; see that there is room, and who owns the folder"
            ) from error
        self._known[network], self._looked[network] = (stamp, made), now
        return made

    def _make(self, names: Iterable[str]) -> Path:
        if self._place is None:
            self._place = Path(tempfile.mkdtemp(prefix="tea-etc-"))
            weakref.finalize(self, shutil.rmtree, self._place, True)
        place = self._place
        place.mkdir(mode=0o755, parents=True, exist_ok=True)
        found = [piece for name in names for piece in _walk(self._etc / name, name)]
        digest = hashlib.sha256(repr((_FORMAT, FILES, found)).encode("utf-8", "surrogateescape"))
        folder = place / digest.hexdigest()[:32]
        if folder.is_dir():
            return folder
        for other in place.iterdir():
            if time.time() - other.stat().st_mtime > _OLD:
                shutil.rmtree(other, ignore_errors=True)
        new = Path(tempfile.mkdtemp(prefix=".new-", dir=place))
        for piece in found:
            _copy(self._etc, piece, new)
        for name, text in FILES.items():
            file = new / name.removeprefix("/etc/")
            file.write_text(text, "ascii")
            file.chmod(0o444)
        new.chmod(0o755)
        try:
            new.rename(folder)
        except OSError:
            # Another process was quicker.
            shutil.rmtree(new, ignore_errors=True)
            if not folder.is_dir():
                raise
        return folder


def _look(path: Path) -> os.stat_result | None:
    with contextlib.suppress(OSError):
        return path.stat()
    return None


class _EtcPiece(NamedTuple):
    """One thing that everybody may read: its path below ``/etc``, and what tells it from others."""

    relative: str
    kind: str
    mode: int
    inode: int
    time: int
    size: int


def _walk(path: Path, relative: str, *, inside: bool = False) -> Iterator[_EtcPiece]:
    """A piece with all below it.  It may be a link itself, as localtime is; links inside stay links."""
    found = path.lstat() if inside else _look(path)
    if found is None:
        return
    mode = found.st_mode
    kinds = {stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "link"}
    kind = kinds.get(stat.S_IFMT(mode), "")
    if not kind or not mode & 0o004:
        return
    yield _EtcPiece(relative, kind, mode, found.st_ino, found.st_mtime_ns, found.st_size)
    if kind == "folder":
        names: list[str] = []
        with contextlib.suppress(OSError), os.scandir(path) as entries:
            names = sorted(entry.name for entry in entries)
        for name in names:
            yield from _walk(path / name, f"{relative}/{name}", inside=True)


def _copy(etc: Path, piece: _EtcPiece, new: Path) -> None:
    source, target = etc / piece.relative, new / piece.relative
    for parent in reversed(target.relative_to(new).parents[:-1]):
        if not (new / parent).is_dir():
            (new / parent).mkdir()
            (new / parent).chmod(0o755)
    if piece.kind == "link":
        target.symlink_to(os.readlink(source))
    elif piece.kind == "folder":
        target.mkdir(exist_ok=True)
        target.chmod(0o755)
    else:
        shutil.copyfile(source, target)
        target.chmod(0o444 | (piece.mode & 0o111))
