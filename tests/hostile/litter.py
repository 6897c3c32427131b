"""Files as a hostile command would leave them, made from a row of ``outputs.json``.

Tests call it, and commands in the sandbox run it with the row on standard input: nothing but the
standard library is used.
"""

from __future__ import annotations

import json
import os
import socket
import stat
import sys
from pathlib import Path
from typing import Any


def make(out: Path, step: dict[str, Any]) -> None:
    """One thing of a row."""
    (kind, name), *_ = step.items()
    place = out / name if isinstance(name, str) else out
    place.parent.mkdir(parents=True, exist_ok=True)
    if kind == "file":
        place.write_text(step.get("bytes", "content"), "utf-8")
        if "attribute" in step:
            os.setxattr(place, step["attribute"], b"1")
    elif kind == "directory":
        place.mkdir()
    elif kind == "link":
        place.symlink_to(step["to"])
    elif kind == "hardlink":
        place.hardlink_to(out / step["to"])
    elif kind == "fifo":
        os.mkfifo(place)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            # the path of a test may be longer than a socket's may be
            directory = os.open(place.parent, os.O_RDONLY)
            server.bind(f"/proc/self/fd/{directory}/{place.name}")
            os.close(directory)
    elif kind == "device":
        os.mknod(place, stat.S_IFCHR | 0o600, os.makedev(1, 3))
    elif kind == "sparse":
        with place.open("wb") as file:
            file.truncate(step["bytes"])
    elif kind == "many":
        for number in range(name):
            (out / str(number)).touch()
    else:
        descend(out, "d" if kind == "deep" else "n" * 200, name if kind == "deep" else 25)
    if "mode" in step:
        place.chmod(int(step["mode"], 8))


def descend(out: Path, name: str, levels: int) -> None:
    """Directories in directories, longer than any path may be."""
    here = os.open(out, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir(name, dir_fd=here)
        below = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("last", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)


if __name__ == "__main__":
    os.chdir(sys.argv[1])
    for each in json.load(sys.stdin):
        make(Path("."), each)
