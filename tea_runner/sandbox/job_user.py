"""Who we are in, which ordinary user a root worker's commands become out."""

from __future__ import annotations

import functools
import os
import pwd
import threading
from collections.abc import Iterable
from pathlib import Path

#: Above systemd's range for containers and below the foreign ones: nobody's users
#: (systemd.io/UIDS-GIDS). One per thread, so that two commands never share one, nor a count
#: of processes.
_NOBODYS = 1_900_000_000
_MANY = 4_194_304
#: systemd's dynamic users; a container with 65,536 ids runs no systemd.
_FEW = 61_184
_FEW_COUNT = 4_336


def ordinary_user() -> int | None:
    """A user and group id that nobody else has, for the calling thread.

    None when we are no root, or a root without other users (a single-id user namespace), which
    outside is an ordinary user already.
    """
    if os.geteuid() != 0:
        return None
    return choose_user(_own_map(), threading.get_native_id())


@functools.cache
def _own_map() -> str:
    """The users that this process has; the kernel never changes a map that is written."""
    return Path("/proc/self/uid_map").read_text("ascii")


def known_user() -> int | None:
    """As :func:`ordinary_user`, but one that has a name, which some programs ask for: nobody."""
    if ordinary_user() is None:
        return None
    try:
        return pwd.getpwnam("nobody").pw_uid
    except KeyError:
        return None


def choose_user(uid_map: str, thread: int) -> int | None:
    """As :func:`ordinary_user`, from the text of ``uid_map``."""
    ranges = [tuple(map(int, line.split())) for line in uid_map.splitlines()]

    def mapped(first: int, count: int) -> bool:
        return any(start <= first and first + count <= start + size for start, _, size in ranges)

    if mapped(_NOBODYS, _MANY):
        return _NOBODYS + thread % _MANY
    if mapped(_FEW, _FEW_COUNT):
        return _FEW + thread % _FEW_COUNT
    return None


def give_all(paths: Iterable[Path], user: int | None) -> None:
    """Make directories the user's; None leaves them to us."""
    for path in paths if user is not None else ():
        assert user is not None
        give_to_user(path, user)


def give_to_user(path: Path, user: int) -> None:
    """Make a directory and all below it the user's, without following links."""
    os.chown(path, user, user, follow_symlinks=False)
    if path.is_dir():
        for _, directories, files, descriptor in os.fwalk(path, follow_symlinks=False):
            for name in (*directories, *files):
                os.chown(name, user, user, dir_fd=descriptor, follow_symlinks=False)
