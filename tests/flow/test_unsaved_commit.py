"""Files that are not committed, read as the commit that they would make."""

from __future__ import annotations

import pytest

from tea_runner.core.errors import OutsideError
from tea_runner.core.git.tree import TREE
from tea_runner.flow.unsaved_commit import OverlayObjects, UnsavedFiles, unsaved_commit
from tests.twins.lab import MemoryLab, store_tree
from tests.twins.queries import unsaved


def test_unsaved_files_give_the_tree_that_git_would_make(lab: MemoryLab) -> None:
    """The same id, upon a tip or upon nothing."""
    lab.push({"a": "1", "sub/b": "2", "sub/c": "3"})
    changes = {"a": "other", "sub/b": None, "new/d": "4"}
    root = lab.dataset.objects.commit(lab.tip()).tree

    assert unsaved(lab, changes).tree.root == store_tree(lab.dataset, root, changes)
    assert unsaved(None, {"a": "1"}).tree.root == store_tree(lab.dataset, None, {"a": "1"})


def test_nothing_gives_the_empty_tree() -> None:
    """A dataset without files is no error."""
    assert unsaved(None, {}).tree.root == "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


def test_contents_are_read_from_memory_first(lab: MemoryLab) -> None:
    """And from the repository where nothing was changed."""
    lab.push({"a": "1", "b": "2"})
    tree = unsaved(lab, {"a": "other"}).tree

    assert (tree.blob_at("a"), tree.blob_at("b")) == (b"other", b"2")


def test_a_file_that_is_too_large_to_read_has_no_content(lab: MemoryLab) -> None:
    """It is there by name alone."""
    tree = unsaved_commit(None, None, {"big": UnsavedFiles(0o100644, None)}).tree

    assert tree.entry("big") is not None
    assert tree.blob_at("big") is None
    assert lab.dataset.name


def test_an_overlay_passes_on_what_it_does_not_have(lab: MemoryLab) -> None:
    """Trees, blobs and commits of the repository below."""
    lab.push({"a": "1", "big": "x" * 40_000})
    below = lab.dataset.objects
    root = below.commit(lab.tip()).tree
    overlay = OverlayObjects(below, root="1" * 40)
    blob, big = below.tree(root)["a"].oid, below.tree(root)["big"].oid
    overlay.read_trees([root])
    overlay.prefetch_blobs([blob])
    assert overlay.blobs([blob, big]) == {blob: b"1", big: None}
    overlay.fetch_blobs([big])

    assert overlay.blob(big) == b"x" * 40_000
    assert overlay.tree(root) == below.tree(root)
    assert overlay.commit(lab.tip()).tree == root
    assert overlay.commit("0" * 40).tree == "1" * 40
    assert overlay.tree(overlay.write({"d": below.tree(root)["a"]}))["d"].mode != TREE


def test_an_overlay_of_nothing_has_nothing_else() -> None:
    """Reading ahead is harmless; an unknown tree is an error."""
    overlay = OverlayObjects(None)
    overlay.read_trees(["1" * 40])
    overlay.prefetch_blobs(["1" * 40])
    overlay.fetch_blobs(["1" * 40])

    assert overlay.blob("1" * 40) is None
    with pytest.raises(OutsideError, match="does not exist"):
        overlay.tree("1" * 40)
