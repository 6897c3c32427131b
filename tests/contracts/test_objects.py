"""Objects and TreeStore: memory, an overlay, a mirror, a clone."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tea_runner.core.errors import OutsideError
from tea_runner.core.git.tree import EXECUTABLE, LINK, PLAIN, SUBMODULE, TREE, TreeEntry
from tea_runner.dataset.git_environment import make_environment
from tea_runner.dataset.local_clone import CloneFolders, CloneRepository
from tea_runner.dataset.mirror import Mirror
from tea_runner.dataset.object_reader import ObjectReader
from tea_runner.flow.unsaved_commit import OverlayObjects
from tea_runner.host import process
from tea_runner.ports import Objects, TreeStore
from tests.twins.objects import MemoryObjects, MemoryTreeStore

WHO = "Ada <ada@example.org>"
UNKNOWN = "1" * 40
LARGE = b"x" * 40_000


@dataclass
class Side:
    """One object database and a way to write into it."""

    objects: Objects
    writer: Callable[[], TreeStore]

    def put(self, kind: str, data: bytes) -> str:
        """Write one object."""
        store = self.writer()
        oid = store.add(kind, data)
        store.flush()
        return oid


def bare(path: Path) -> Path:
    """An empty bare repository that gives partial clones."""
    env = dict(os.environ)
    process.run(["git", "init", "-q", "--bare", "-b", "main", str(path)], env=env)
    for name in ("uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant"):
        process.run(["git", "-C", str(path), "config", name, "true"], env=env)
    return path


@pytest.fixture(params=["memory", "overlay", "mirror", "clone"])
def side(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Side]:
    """Each implementation in turn."""
    if request.param in ("memory", "overlay"):
        memory = MemoryObjects()
        objects: Objects = memory if request.param == "memory" else OverlayObjects(memory)
        yield Side(objects, lambda: MemoryTreeStore(memory))
        return
    forge = bare(tmp_path / "forge.git")
    environment = make_environment(tmp_path, path=os.environ["PATH"], protocols=["file"])
    if request.param == "mirror":
        mirror = Mirror(tmp_path / "mirror.git", forge.as_uri(), environment)
        mirror.ensure()
    else:
        process.run(["git", "init", "-q", str(tmp_path / "clone")], env=dict(os.environ))
        mirror = CloneRepository(
            CloneFolders(tmp_path / "clone", tmp_path / "clone/.git", tmp_path / "clone/.git"),
            environment,
        )
    yield Side(mirror.objects, mirror.writer)
    mirror.close()


def test_ids_are_those_of_git(side: Side) -> None:
    """Known ids of the empty tree, a blob and a commit."""
    store = side.writer()

    assert store.tree({}) == "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
    assert store.add("blob", b"hello\n") == "ce013625030ba8dba906f756967f9e9ca394464a"
    commit = store.commit(store.tree({}), [], "first\n", who=WHO, seconds=0)
    assert commit == "9926da1f1f7fc08f7324cc6fd7d06c9ed483616c"


def test_what_was_flushed_can_be_read(side: Side) -> None:
    """A blob, a tree with entries of every mode, a commit with two parents."""
    store = side.writer()
    blob = store.add("blob", b"one\n")
    empty = store.tree({})
    entries = {
        "a": TreeEntry(PLAIN, blob),
        "a.d": TreeEntry(TREE, empty),
        "b": TreeEntry(EXECUTABLE, blob),
        "c": TreeEntry(LINK, blob),
        "s": TreeEntry(SUBMODULE, UNKNOWN),
        "\udcff": TreeEntry(PLAIN, blob),
    }
    tree = store.tree(entries)
    parents = [store.commit(empty, [], f"{n}\n", who=WHO, seconds=n) for n in (1, 2)]
    commit = store.commit(tree, parents, "two\n\nwords ä\n", who=WHO, seconds=7)
    assert store.trees[tree] == entries
    assert store.flush() == 6
    assert store.flush() == 0

    facts = side.objects.commit(commit)
    assert (facts.oid, facts.tree, list(facts.parents)) == (commit, tree, parents)
    assert (facts.message, facts.committed) == ("two\n\nwords ä\n", 7)
    assert dict(side.objects.tree(tree)) == entries
    assert side.objects.blob(blob) == b"one\n"


def test_entries_come_in_gits_order(side: Side) -> None:
    """A directory sorts as if its name ended in a slash."""
    store = side.writer()
    blob, empty = store.add("blob", b""), store.tree({})
    given = {
        "b": TreeEntry(TREE, empty),
        "b.c": TreeEntry(PLAIN, blob),
        "a": TreeEntry(PLAIN, blob),
    }
    tree = store.tree(given)
    store.flush()

    assert list(side.objects.tree(tree)) == ["a", "b.c", "b"]


def test_an_unknown_blob_is_none(side: Side) -> None:
    """Alone and among others; each id that was asked for has an answer."""
    blob = side.put("blob", b"one")

    assert side.objects.blob(UNKNOWN) is None
    assert dict(side.objects.blobs([blob, UNKNOWN, blob])) == {blob: b"one", UNKNOWN: None}
    assert dict(side.objects.blobs([])) == {}


def test_an_object_of_another_kind_is_not_there(side: Side) -> None:
    """A tree is no blob, and a blob neither tree nor commit."""
    blob = side.put("blob", b"one")
    tree = side.writer().tree({})
    assert tree == side.put("tree", b"")

    assert side.objects.blob(tree) is None
    with pytest.raises(OutsideError):
        side.objects.tree(blob)
    with pytest.raises(OutsideError):
        side.objects.commit(blob)


@pytest.mark.parametrize("kind", ["tree", "commit"])
def test_an_unknown_tree_or_commit_is_an_outside_error(side: Side, kind: str) -> None:
    """The id is named."""
    with pytest.raises(OutsideError, match=UNKNOWN):
        getattr(side.objects, kind)(UNKNOWN)


def test_reading_ahead_raises_nothing_for_unknown_ids(side: Side) -> None:
    """It is a hint."""
    tree = side.put("tree", b"")
    blob = side.put("blob", b"1")
    side.objects.read_trees(iter([tree, UNKNOWN]))
    side.objects.prefetch_blobs(iter([blob, UNKNOWN]))

    assert dict(side.objects.tree(tree)) == {}
    assert side.objects.blobs([blob, UNKNOWN]) == {blob: b"1", UNKNOWN: None}


def test_blobs_that_are_here_need_no_fetch(side: Side) -> None:
    """Small ones are always here."""
    blob = side.put("blob", b"1")
    side.objects.fetch_blobs(iter([blob]))

    assert side.objects.blob(blob) == b"1"


def test_a_blob_that_is_nowhere_cannot_be_fetched(side: Side) -> None:
    """The world failed: it may be there later."""
    with pytest.raises(OutsideError):
        side.objects.fetch_blobs([UNKNOWN])


@pytest.mark.parametrize("kind", ["memory", "mirror"])
def test_large_blobs_are_absent_until_they_are_fetched(kind: str, tmp_path: Path) -> None:
    """A plan reads no content; a large manifest is asked for by id."""
    if kind == "memory":
        memory = MemoryObjects()
        large = memory.add("blob", LARGE)
        objects: Objects = memory
    else:
        forge = bare(tmp_path / "forge.git")
        environment = make_environment(tmp_path, path=os.environ["PATH"], protocols=["file"])
        seed = Mirror(tmp_path / "seed.git", forge.as_uri(), environment)
        seed.ensure()
        store = seed.writer()
        large = store.add("blob", LARGE)
        tree = store.tree({"big": TreeEntry(PLAIN, large)})
        commit = store.commit(tree, [], "x\n", who=WHO, seconds=1)
        store.flush()
        assert seed.push([("refs/heads/main", commit, None)])
        mirror = Mirror(tmp_path / "mirror.git", forge.as_uri(), environment)
        mirror.fetch()
        objects = mirror.objects
    assert objects.blob(large) is None
    objects.fetch_blobs([large])

    assert objects.blob(large) == LARGE
    if isinstance(objects, ObjectReader):
        objects.close()
        seed.close()
