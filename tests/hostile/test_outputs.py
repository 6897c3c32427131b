"""Everything that a command may leave behind, and what it gets for it: outputs/outputs.json."""

from __future__ import annotations

import json
import os
import socket
import stat
from pathlib import Path
from typing import Any

import pytest

from tea_runner.adapters.openat import remove_tree
from tea_runner.adapters.outputs import Bounds, examine
from tea_runner.core.outputs import Rules

_ROWS = json.loads((Path(__file__).parent / "outputs" / "outputs.json").read_text("ascii"))
_BOUNDS = Bounds(size=1_000_000, files=1_000)
_RULES = Rules(deepest=100)


def _make(out: Path, step: dict[str, Any]) -> None:
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
        _descend(out, "d" if kind == "deep" else "n" * 200, name if kind == "deep" else 25)
    if "mode" in step:
        place.chmod(int(step["mode"], 8))


def _descend(out: Path, name: str, levels: int) -> None:
    """Directories in directories, longer than any path may be."""
    here = os.open(out, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir(name, dir_fd=here)
        below = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("last", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)


@pytest.mark.parametrize("row", _ROWS, ids=[f"{row['row']} {row['name']}" for row in _ROWS])
def test_outputs_get_the_answer_that_the_table_states(row: dict[str, Any], tmp_path: Path) -> None:
    """What is dangerous is refused by name, and what is not is taken."""
    if row.get("root") and os.geteuid() != 0:
        pytest.skip("only root can make a device node")
    out = tmp_path / "out"
    out.mkdir()
    for step in row["make"]:
        _make(out, step)
    rules = Rules(deepest=100, taken=frozenset(row.get("taken", ())))
    found = examine(
        out, home="home", rules=rules, bounds=_BOUNDS,
        pfs=row.get("pfs", ""), out_at="/pfs/out",
    )  # fmt: skip
    said = [str(refusal) for refusal in found.refused]
    missing = [a for a in row["answers"] if not any(a in sentence for sentence in said)]
    assert [] == missing, said
    assert bool(row["answers"]) == bool(said), said
    assert tuple(row.get("empty", ())) == found.empty
    links = {o.path: o.target for o in found.outputs if o.kind == "input link"}
    assert row.get("links", {}) == links
    remove_tree(out)
    assert not out.exists()


def test_a_thousand_refusals_are_not_listed(tmp_path: Path) -> None:
    """A tree full of FIFOs is answered soon, with a bounded number of reasons."""
    for number in range(500):
        os.mkfifo(tmp_path / str(number))
    found = examine(tmp_path, rules=_RULES, bounds=_BOUNDS)
    assert 100 == len(found.refused)


def test_what_is_taken_is_described(tmp_path: Path) -> None:
    """An output has its path, size, whether it can be executed; a link has its target."""
    (tmp_path / "a").write_bytes(b"12345")
    (tmp_path / "b.sh").write_bytes(b"#!")
    (tmp_path / "b.sh").chmod(0o755)
    (tmp_path / "c").symlink_to("a")
    found = examine(tmp_path)
    assert [
        ("a", "file", 5, False, ""),
        ("b.sh", "file", 2, True, ""),
        ("c", "symlink", 0, False, "a"),
    ] == [(o.path, o.kind, o.size, o.executable, o.target) for o in found.outputs]
    assert () == found.refused


def test_a_tree_is_removed_without_following_links(tmp_path: Path) -> None:
    """Removing a tree leaves alone what a link in it points to."""
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").touch()
    tree = tmp_path / "tree"
    (tree / "closed" / "inner").mkdir(parents=True)
    (tree / "link").symlink_to(kept)
    (tree / "closed" / "link").symlink_to(kept / "file")
    (tree / "closed" / "inner").chmod(0)
    (tree / "closed").chmod(0)
    remove_tree(tree)
    assert not tree.exists()
    assert (kept / "file").exists()


def test_a_tree_that_is_a_link_loses_only_the_link(tmp_path: Path) -> None:
    """Given a link, only the link is removed; given nothing, nothing happens."""
    (tmp_path / "kept").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    remove_tree(tmp_path / "link")
    remove_tree(tmp_path / "nothing")
    assert ["kept"] == os.listdir(tmp_path)
