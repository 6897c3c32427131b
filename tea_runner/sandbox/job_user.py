"""The unprivileged user that a root worker's commands run as."""

from __future__ import annotations

import functools
import os
import pwd
import threading
from collections.abc import Iterable
from pathlib import Path

#: User ids that no account has: above systemd's range for containers and below the "foreign" range
#: (https://systemd.io/UIDS-GIDS).  Each thread has one of its own, so that two commands never share one,
#: nor its count of processes (RLIMIT_NPROC).
_UNUSED, _UNUSED_COUNT = 1_900_000_000, 4_194_304
#: Systemd's dynamic users, for containers whose map has 65,536 ids; no systemd runs in those.
_DYNAMIC, _DYNAMIC_COUNT = 61_184, 4_336


def unprivileged_user() -> int | None:
    """A user and group id for the calling thread that no account has.

    None when this process is not root, or is root in a user namespace with a single id, and so has no
    rights outside it.
    """
    if os.geteuid() != 0:
        return None
    return choose_user(_uid_map(), threading.get_native_id())


@functools.cache
def _uid_map() -> str:
    """The user ids of this process's namespace; a map that was written never changes."""
    return Path("/proc/self/uid_map").read_text("ascii")


def named_user() -> int | None:
    """The user ``nobody``, for programs that look up the user's name; None as :func:`unprivileged_user`."""
    if unprivileged_user() is None:
        return None
    try:
        return pwd.getpwnam("nobody").pw_uid
    except KeyError:
        return None


def choose_user(uid_map: str, thread: int) -> int | None:
    """A user id for a thread from a user namespace's map (user_namespaces(7), ``uid_map``)."""
    ranges = [tuple(map(int, line.split())) for line in uid_map.splitlines()]

    def mapped(first: int, count: int) -> bool:
        return any(start <= first and first + count <= start + size for start, _, size in ranges)

    if mapped(_UNUSED, _UNUSED_COUNT):
        return _UNUSED + thread % _UNUSED_COUNT
    if mapped(_DYNAMIC, _DYNAMIC_COUNT):
        return _DYNAMIC + thread % _DYNAMIC_COUNT
    return None


def chown_all(paths: Iterable[Path], user: int | None) -> None:
    """Make *user* the owner of these trees; None changes nothing."""
    if user is None:
        return
    for path in paths:
        _chown_tree(path, user)


def _chown_tree(path: Path, user: int) -> None:
    """Make *user* the owner of a directory and all below it, without following links."""
    os.chown(path, user, user, follow_symlinks=False)
    if path.is_dir():
        for _, directories, files, descriptor in os.fwalk(path, follow_symlinks=False):
            for name in (*directories, *files):
                os.chown(name, user, user, dir_fd=descriptor, follow_symlinks=False)
