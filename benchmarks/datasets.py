"""Sizes in, repositories out: small real datasets, and large ones written without any content."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from pathlib import Path

from tea_runner.core.git.annex_paths import link_target
from tea_runner.host import process

PLAIN_ENV = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/nonexistent"}

PFS_SPEC = """\
pipeline:
  name: sums
input:
  pfs:
    repo: in
    glob: /*
transform:
  cmd: [sh, -c, 'for f in "$PFS"/in/*; do b=${f##*/}; sha256sum < "$f" > "$PFS/out/${b%%.txt}.sum"; done']
  env:
    ROUND: "%d"
"""


def small_files(folder: Path, count: int, seed: int = 1) -> None:
    """*count* text files of 10,205 bytes below ``in/``."""
    numbers = random.Random(seed)
    (folder / "in").mkdir(parents=True, exist_ok=True)
    for index in range(count):
        lines = (f"{numbers.getrandbits(256):064x}\n" for _ in range(157))
        (folder / "in" / f"f{index:05d}.txt").write_text("".join(lines))


def annexed_tree(bare: Path, count: int, *, extra: dict[str, str], onto: bool = False) -> None:
    """A commit of *count* annexed files ``data/dNNN/fNNNNNN.dat``, whose content is nowhere.

    :param extra: further files by path.
    :param onto: add them to what the branch has.
    """
    process.run(
        ["git", f"--git-dir={bare}", "fast-import", "--quiet", "--force"],
        env=PLAIN_ENV,
        stdin=b"".join(_stream(count, extra, onto)),
    )


def _stream(count: int, extra: dict[str, str], onto: bool) -> Iterator[bytes]:
    yield b"commit refs/heads/main\ncommitter a <a@b> 1700000000 +0000\ndata 1\nx\n"
    if onto:
        yield b"from refs/heads/main^0\n"
    for path, text in extra.items():
        yield b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(text), text.encode())
    for index in range(count):
        path = file_path(index)
        yield link(path, index)


def file_path(index: int) -> str:
    """Where the file of this number stands: a thousand directories."""
    return f"data/d{index % 1000:03d}/f{index:07d}.dat"


def link(path: str, content: int) -> bytes:
    """A line of fast-import for an annexed file with this number's content."""
    digest = hashlib.sha256(b"%d" % content).hexdigest()
    target = link_target(f"SHA256E-s1000--{digest}.dat", path).encode()
    return b"M 120000 inline %s\ndata %d\n%s\n" % (path.encode(), len(target), target)
