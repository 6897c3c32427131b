"""Labs on each kind of forge."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tea_runner.host import process
from tests.e2e.lab import Lab


def folder_lab(root: Path, sandbox: str = "off", network: bool = False) -> Lab:
    """A lab whose forge is a plain folder of bare repositories."""
    import os

    bare = root / "forge" / "lab" / "data.git"
    env = dict(os.environ)
    process.run(["git", "init", "-q", "--bare", "-b", "main", str(bare)], env=env)
    process.run(["git", "-C", str(bare), "config", "uploadpack.allowFilter", "true"], env=env)
    forge = {"kind": "folder", "url": str(root / "forge")}
    return Lab(root, forge=forge, push_url=bare.as_uri(), sandbox=sandbox, network=network)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A lab on a folder of bare repositories, commands without a sandbox (they count themselves)."""
    made = folder_lab(tmp_path)
    yield made
    made.close()


@pytest.fixture
def counted(tmp_path: Path) -> tuple[str, Callable[[], int]]:
    """Shell text that counts a command's executions, and how many there were since last asked."""
    path = tmp_path / "executions"
    path.touch()
    seen = 0

    def count() -> int:
        nonlocal seen
        lines = len(path.read_text().splitlines())
        new, seen = lines - seen, lines
        return new

    return f"echo x >> {path}", count
