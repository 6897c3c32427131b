"""Trees: parsed and written as git does, edited as a person with a checkout would."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tea_runner.core.git.tree import (
    EXECUTABLE,
    LINK,
    PLAIN,
    SUBMODULE,
    TREE,
    TreeEntry,
    edit_tree,
    format_tree,
    lookup,
    parse_tree,
    walk_tree,
)
from tea_runner.dataset.git_environment import make_environment
from tea_runner.dataset.object_reader import ObjectReader
from tea_runner.dataset.object_writer import ObjectWriter
from tea_runner.host import process

ODD = ["a", "a.b", "a-b", "ab", "a\udcff", "ä", "x y", "tab\t", "new\nline", '"q"', "-dash", "z"]


class Store:
    """Trees in memory."""

    def __init__(self) -> None:
        self.trees: dict[str, Mapping[str, TreeEntry]] = {}

    def write(self, entries: Mapping[str, TreeEntry]) -> str:
        """Keep a tree."""
        oid = f"{len(self.trees) + 1:040x}"
        self.trees[oid] = parse_tree(format_tree(entries))
        return oid

    def files(self, root: str | None) -> dict[str, TreeEntry]:
        """All files of a tree."""
        return dict(walk_tree(self.trees.__getitem__, root)) if root else {}


name = st.sampled_from(["a", "b", "a.b"])
paths = st.lists(name, min_size=1, max_size=3).map("/".join)
leaf = st.builds(
    TreeEntry, st.sampled_from([PLAIN, EXECUTABLE, LINK]), st.sampled_from(["1" * 40, "2" * 40])
)
edits = st.dictionaries(paths, leaf, max_size=6)


def apply(
    files: dict[str, TreeEntry], changes: Mapping[str, TreeEntry | None]
) -> dict[str, TreeEntry]:
    """What a person would have who first removes and then writes each file."""
    after = dict(files)
    for path, entry in sorted(changes.items(), key=lambda row: row[1] is not None):
        if entry is None:
            after.pop(path, None)
            continue
        for other in list(after):
            if other.startswith(path + "/") or path.startswith(other + "/"):
                del after[other]
        after[path] = entry
    return after


def is_clean(changes: Mapping[str, object]) -> bool:
    """No path lies inside another."""
    return not any(one != two and two.startswith(one + "/") for one in changes for two in changes)


@given(edits.filter(is_clean), edits.filter(is_clean), st.data())
def test_an_edited_tree_has_what_a_person_would_have(
    before: dict[str, TreeEntry], put: dict[str, TreeEntry], data: st.DataObject
) -> None:
    """Any files, any changes and removals: the same files, and no directory that is empty."""
    removed = data.draw(st.lists(st.sampled_from(sorted(before) or ["a"]), max_size=3))
    changes = {**dict.fromkeys(removed), **put}
    store = Store()
    root = edit_tree(store.trees.__getitem__, store.write, None, before)
    after = edit_tree(store.trees.__getitem__, store.write, root, changes)

    assert apply(before, changes) == store.files(after)
    assert (after is None) == (not store.files(after))


@given(edits.filter(is_clean))
def test_an_edit_that_changes_nothing_writes_nothing(files: dict[str, TreeEntry]) -> None:
    """Writing what stands there already gives the same id, and no new tree."""
    store = Store()
    root = edit_tree(store.trees.__getitem__, store.write, None, files)
    count = len(store.trees)

    assert root == edit_tree(store.trees.__getitem__, store.write, root, files)
    assert count == len(store.trees)


@given(edits.filter(is_clean))
def test_a_walk_goes_in_byte_order(files: dict[str, TreeEntry]) -> None:
    """Paths come as ``git ls-tree -r`` lists them, and each is found by its path."""
    store = Store()
    root = edit_tree(store.trees.__getitem__, store.write, None, files)
    if root is None:
        return
    found = list(walk_tree(store.trees.__getitem__, root))

    assert sorted(files) == [path for path, _ in found]
    assert all(entry == lookup(store.trees.__getitem__, root, path) for path, entry in found)
    assert lookup(store.trees.__getitem__, root, "none/such") is None


def test_a_file_can_give_way_to_a_directory_and_back() -> None:
    """Old and new shape in one edit: what is written wins over what is removed."""
    store = Store()
    one, two = TreeEntry(PLAIN, "1" * 40), TreeEntry(PLAIN, "2" * 40)
    root = edit_tree(store.trees.__getitem__, store.write, None, {"a": one})
    deep = edit_tree(store.trees.__getitem__, store.write, root, {"a": None, "a/x": two})
    flat = edit_tree(store.trees.__getitem__, store.write, deep, {"a": one, "a/x": None})

    assert {"a/x": two} == store.files(deep)
    assert {"a": one} == store.files(flat)


@pytest.mark.parametrize("form", ["sha1", "sha256"])
@pytest.mark.parametrize("count", [3, 60], ids=["loose", "pack"])
def test_trees_and_blobs_have_the_ids_that_git_gives_them(
    tmp_path: Path, form: str, count: int
) -> None:
    """Odd names, all modes: ``git mktree``, ``hash-object`` and ``fsck`` agree with ours."""
    git_dir = tmp_path / "r.git"
    process.run(
        ["git", "init", "-q", "--bare", f"--object-format={form}", str(git_dir)],
        env=dict(os.environ),
    )
    environment = make_environment(tmp_path, path=os.environ["PATH"])
    writer = ObjectWriter(git_dir, environment, oid_hex=40 if form == "sha1" else 64)

    def git(*arguments: str, stdin: bytes = b"") -> bytes:
        argv = ["git", f"--git-dir={git_dir}", *arguments]
        return bytes(process.run(argv, env=environment.variables, stdin=stdin).stdout)

    blobs = [
        writer.add("blob", b"x" * 7 ** (number % 7) + b"%d" % number) for number in range(count)
    ]
    inner = writer.tree({"f": TreeEntry(PLAIN, blobs[0])})
    entries = {name: TreeEntry(PLAIN, blobs[number % count]) for number, name in enumerate(ODD)}
    entries |= {
        "exe": TreeEntry(EXECUTABLE, blobs[1]),
        "link": TreeEntry(LINK, blobs[2]),
        "a_": TreeEntry(TREE, inner),
        "sub": TreeEntry(SUBMODULE, "1" * len(inner)),
    }
    entries |= {"dir": TreeEntry(TREE, inner), "dir.x": TreeEntry(PLAIN, blobs[0])}
    root = writer.tree(entries)
    commit = writer.commit(root, [], "words\n", who="A <a@b.c>", seconds=5)
    assert count + 3 == writer.flush()
    assert 0 == writer.flush()

    assert (
        blobs
        == [
            git("hash-object", "--stdin", stdin=git("cat-file", "blob", oid)).decode().strip()
            for oid in blobs[:5]
        ]
        + blobs[5:]
    )
    listing = git("ls-tree", "-z", root)
    assert root == git("mktree", "-z", "--missing", stdin=listing).decode().strip()
    assert b"" == git("fsck", "--strict", "--no-dangling", commit)
    reader = ObjectReader(git_dir, environment)
    try:
        assert entries == dict(reader.tree(root))
        assert [
            row.split("\t", 1)[1]
            for row in listing.decode("utf-8", "surrogateescape").split("\0")
            if row
        ] == list(reader.tree(root))
        assert ("A <a@b.c>", 5, root, "words") == (
            reader.commit(commit).author,
            reader.commit(commit).committed,
            reader.commit(commit).tree,
            reader.commit(commit).subject,
        )
    finally:
        reader.close()
