"""Copies of the parts of ``/etc`` that sandboxes show, kept in a folder.

Programs need them to start and to find their own files.  Mounting each part by itself takes a dozen mounts
and more, a third of the time to make a sandbox; a folder of copies is one mount.
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
from tea_runner.host.private_folder import how_to_write
from tea_runner.host.world_readable_folder import make_world_readable_folder
from tea_runner.sandbox.bubblewrap_options import USER, Bind

#: ViewFile where they exist. Debian and Fedora keep parts of R, Java, fonts and certificates here.
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

#: ViewFile only with a network.
_ETC_NETWORK = ("resolv.conf",)

_PASSWD = f"root:x:0:0:root:/:/usr/sbin/nologin\nnobody:x:{USER}:{USER}:nobody:/tmp:/bin/sh\n"
_GROUP = f"root:x:0:\nnogroup:x:{USER}:\n"
_NSSWITCH = "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n"
_HOSTS = "127.0.0.1 localhost\n::1 localhost\n"

#: Written by us: the host's own name its users, or refer to servers that a sandbox cannot reach.
FILES = {
    "/etc/passwd": _PASSWD,
    "/etc/group": _GROUP,
    "/etc/nsswitch.conf": _NSSWITCH,
    "/etc/hosts": _HOSTS,
}


#: Part of the hash in a folder's name; change it with the way that folders are made.
_FORMAT = b"1"
#: Seconds after which an unused folder is removed.
_MAX_AGE = 30 * 86_400.0


def shown_names(etc: Path, *, network: bool) -> tuple[str, ...]:
    """Names of existing files and directories below *etc* that are shown."""
    # Cached until an entry of the directory is added or removed.
    return _shown_names(etc, network, os.stat(etc).st_mtime_ns)


@functools.lru_cache(maxsize=8)
def _shown_names(etc: Path, network: bool, changed: int) -> tuple[str, ...]:  # noqa: ARG001 - a cache key
    names = [name for name in _ETC if (etc / name).exists()]
    names += sorted(str(p.relative_to(etc)) for glob in _ETC_PATTERNS for p in etc.glob(glob))
    if network:
        names += [name for name in _ETC_NETWORK if (etc / name).exists()]
    return tuple(names)


class EtcFolder:
    """Makes folders with the copies, below a root that processes may share.

    :param root: where the folders are kept; without it, a temporary directory of this process.
    :param max_age: seconds for which a folder is used without a check for changes in *etc*.
    """

    def __init__(
        self, root: Path | None = None, etc: Path = Path("/etc"), *, max_age: float = 1.0
    ) -> None:
        self._max_age = max_age
        self._root = root
        self._etc = etc
        #: With and without network: the state of the parts, and the folder with copies of them.
        self._folders: dict[bool, tuple[object, Path]] = {}
        #: With and without network: when the state was read, by the monotonic clock.
        self._checked: dict[bool, float] = {}

    def binds(self, *, apart: bool, network: bool) -> tuple[Bind, ...]:
        """The binds that show ``/etc`` in a sandbox.

        :param apart: each part by itself, without :data:`FILES`, for a sandbox that mounts something else
            below ``/etc``.
        """
        if not apart:
            return (Bind(source=str(self.path(network=network)), target="/etc"),)
        return tuple(
            Bind(source=str(self._etc / name), target=f"/etc/{name}")
            for name in shown_names(self._etc, network=network)
        )

    def path(self, *, network: bool) -> Path:
        """The folder with copies of the parts as they are now, or were up to *max_age* ago.

        A change of a file deep inside one of the parts is noticed by the next process only.

        :raises OutsideError: when the folder cannot be made.
        """
        now = time.monotonic()
        known = self._folders.get(network)
        exists = known is not None and known[1].is_dir()
        if known and exists and now - self._checked[network] < self._max_age:
            return known[1]
        stamp = [
            (name, facts.st_ino, facts.st_mtime_ns, facts.st_size)
            for name in shown_names(self._etc, network=network)
            if (facts := _stat(self._etc / name)) is not None
        ]
        if known and exists and known[0] == stamp:
            self._checked[network] = now
            return known[1]
        try:
            made = self._make([name for name, *_ in stamp])
        except OSError as error:
            raise OutsideError(
                f"{self._etc} cannot be copied for sandboxes to {self._root}: {error.strerror}",
                hint=how_to_write(error, "state"),
            ) from error
        self._folders[network], self._checked[network] = (stamp, made), now
        return made

    def _make(self, names: Iterable[str]) -> Path:
        if self._root is None:
            self._root = Path(tempfile.mkdtemp(prefix="tea-etc-"))
            weakref.finalize(self, shutil.rmtree, self._root, True)
        root = self._root
        make_world_readable_folder(root)
        entries = [entry for name in names for entry in _walk(self._etc / name, name)]
        digest = hashlib.sha256(repr((_FORMAT, FILES, entries)).encode("utf-8", "surrogateescape"))
        folder = root / digest.hexdigest()[:32]
        if folder.is_dir():
            return folder
        for other in root.iterdir():
            if time.time() - other.stat().st_mtime > _MAX_AGE:
                shutil.rmtree(other, ignore_errors=True)
        new = Path(tempfile.mkdtemp(prefix=".new-", dir=root))
        for entry in entries:
            _copy(self._etc, entry, new)
        for name, text in FILES.items():
            file = new / name.removeprefix("/etc/")
            file.write_text(text, "ascii")
            file.chmod(0o444)
        new.chmod(0o755)
        try:
            new.rename(folder)
        except OSError:
            # Another process was faster.
            shutil.rmtree(new, ignore_errors=True)
            if not folder.is_dir():
                raise
        return folder


def _stat(path: Path) -> os.stat_result | None:
    with contextlib.suppress(OSError):
        return path.stat()
    return None


class _EtcEntry(NamedTuple):
    """A file, directory or link below ``/etc`` that all users may read, with the facts that identify it."""

    relative: str
    kind: str
    mode: int
    inode: int
    time: int
    size: int


def _walk(path: Path, relative: str, *, inside: bool = False) -> Iterator[_EtcEntry]:
    """A part with all below it.  A part that is a link, as localtime, is followed; links inside are not."""
    facts = path.lstat() if inside else _stat(path)
    if facts is None:
        return
    mode = facts.st_mode
    kinds = {stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "link"}
    kind = kinds.get(stat.S_IFMT(mode), "")
    if not kind or not mode & 0o004:
        return
    yield _EtcEntry(relative, kind, mode, facts.st_ino, facts.st_mtime_ns, facts.st_size)
    if kind == "folder":
        names: list[str] = []
        with contextlib.suppress(OSError), os.scandir(path) as entries:
            names = sorted(entry.name for entry in entries)
        for name in names:
            yield from _walk(path / name, f"{relative}/{name}", inside=True)


def _copy(etc: Path, entry: _EtcEntry, new: Path) -> None:
    source, target = etc / entry.relative, new / entry.relative
    for parent in reversed(target.relative_to(new).parents[:-1]):
        if not (new / parent).is_dir():
            (new / parent).mkdir()
            (new / parent).chmod(0o755)
    if entry.kind == "link":
        target.symlink_to(os.readlink(source))
    elif entry.kind == "folder":
        target.mkdir(exist_ok=True)
        target.chmod(0o755)
    else:
        shutil.copyfile(source, target)
        target.chmod(0o444 | (entry.mode & 0o111))
