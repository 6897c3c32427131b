"""This machine's file system in, the parts of it that a sandbox shows out.

Shown are ``/usr``, the links to it, and those files of ``/etc`` without which programs do not
start or find their own parts.  Nothing of ``/home``, ``/root``, ``/var``, ``/run``, ``/srv``.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from tea_runner.adapters.environments.bubblewrap import USER, Bind

_LINKED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")

#: Shown where they exist. Debian and Fedora keep parts of R, Java, fonts and certificates here.
_ETC = (
    "ld.so.cache", "localtime", "timezone", "alternatives", "ssl/certs", "ssl/openssl.cnf",
    "pki/tls/certs", "pki/ca-trust/extracted", "fonts", "mime.types", "protocols", "services",
    "R", "perl", "octave.conf", "matplotlibrc", "magic", "papersize",
)  # fmt: skip
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


def links(root: Path = Path("/")) -> tuple[tuple[str, str], ...]:
    """The links of the root directory into ``/usr``: name and target."""
    return tuple(
        (f"/{name}", os.readlink(root / name)) for name in _LINKED if (root / name).is_symlink()
    )


def system(extra: Iterable[Path], *, network: bool, root: Path = Path("/")) -> tuple[Bind, ...]:
    """What every sandbox on this machine shows read-only, *extra* directories among it."""
    # Looked for once, and again when something was put into /etc or taken away from it.
    return _system(tuple(extra), network, root, os.stat(root / "etc").st_mtime_ns)


@functools.lru_cache(maxsize=8)
def _system(
    extra: tuple[Path, ...],
    network: bool,
    root: Path,
    changed: int,  # noqa: ARG001 - makes another call
) -> tuple[Bind, ...]:
    result = [Bind(source="/usr", target="/usr")]
    for name in _LINKED:
        if (root / name).is_dir() and not (root / name).is_symlink():
            result.append(Bind(source=f"/{name}", target=f"/{name}"))
    etc = root / "etc"
    names = [name for name in _ETC if (etc / name).exists()]
    names += sorted(str(p.relative_to(etc)) for glob in _ETC_PATTERNS for p in etc.glob(glob))
    if network:
        names += [name for name in _ETC_NETWORK if (etc / name).exists()]
    result += [Bind(source=f"/etc/{name}", target=f"/etc/{name}") for name in names]
    for directory in extra:
        path = str(directory)
        if not any(path == bind.target or path.startswith(bind.target + "/") for bind in result):
            result.append(Bind(source=path, target=path))
    return tuple(result)


def interpreters() -> tuple[Path, ...]:
    """Where the running Python and its packages live, so that ``python3`` is the same inside."""
    return tuple(dict.fromkeys(Path(prefix) for prefix in (sys.base_prefix, sys.prefix)))


def default_path() -> str:
    """``PATH`` of a command whose pipeline names none."""
    places = [str(Path(sys.prefix) / "bin"), "/usr/local/bin", "/usr/bin", "/bin"]
    return ":".join(dict.fromkeys(places))
