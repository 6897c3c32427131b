"""Many objects are read in batches, prefetched or not; absent ones are reported as such."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tea_runner.core.errors import CommandError
from tea_runner.dataset import cat_file
from tea_runner.dataset.cat_file import CatFile
from tea_runner.dataset.git_environment import GitEnvironment
from tea_runner.host import process

ENV = dict(os.environ)
ABSENT = "1" * 40


@pytest.fixture
def cat(tmp_path: Path) -> Iterator[CatFile]:
    """An empty repository."""
    process.run(["git", "init", "-q", "--bare", str(tmp_path)], env=ENV)
    made = CatFile(tmp_path, GitEnvironment(variables=ENV, home=tmp_path))
    yield made
    made.close()


def blobs(root: Path, *contents: bytes) -> list[str]:
    """Ids of new blobs."""
    stream = b"".join(
        b"blob\nmark :%d\ndata %d\n%s\n" % (n, len(c), c) for n, c in enumerate(contents, 1)
    )
    asked = b"".join(b"get-mark :%d\n" % n for n in range(1, len(contents) + 1))
    done = process.run(
        ["git", f"--git-dir={root}", "fast-import", "--quiet"], env=ENV, stdin=stream + asked
    )
    return done.stdout.decode().split()


@pytest.mark.parametrize("pipe", [1 << 20, 1 << 16, 1 << 12])
def test_any_contents_come_as_they_are(
    tmp_path: Path, cat: CatFile, monkeypatch: pytest.MonkeyPatch, pipe: int
) -> None:
    """Also empty objects, objects with line ends and headers in them, and objects larger than a pipe."""
    monkeypatch.setattr(cat_file, "_PIPE_SIZE", pipe)
    contents = [b"", b"\n", b"x" * 300_000, b"a blob 7\nb", *(b"%d" % n for n in range(5000))]
    oids = blobs(tmp_path, *contents)

    found = cat.read_many([*oids[:2000], ABSENT, *oids])

    expected = dict(zip(oids, (("blob", content) for content in contents), strict=True))
    assert {**expected, ABSENT: None} == found
    assert len(contents) + 1 == cat.reads


def test_objects_that_are_too_large_count_as_absent(tmp_path: Path, cat: CatFile) -> None:
    """Those that can be skipped, and those for which git is started again; the others come as they are."""
    small, skipped, large = b"s" * 99, b"k" * 4_000_000, b"l" * 9_000_000
    oids = blobs(tmp_path, b"one", skipped, b"two", large, small, large + b"x", b"three")
    cat.prefetch(oids, most=100)
    for _ in range(2):
        found = cat.read_many([*oids, ABSENT], most=100)
        contents = [(found[oid] or ("", None))[1] for oid in [*oids, ABSENT]]
        assert [b"one", None, b"two", None, small, None, b"three", None] == contents
    assert {oids[1]: 4_000_000, oids[3]: 9_000_000, oids[5]: 9_000_001} == cat.oversized

    assert [len(skipped), len(large)] == [
        len((each or ("", b""))[1]) for each in cat.read_many([oids[1], oids[3]]).values()
    ]


def test_what_was_asked_ahead_of_time_is_not_asked_again(tmp_path: Path, cat: CatFile) -> None:
    """Prefetched objects stay available when other objects are read first."""
    one, two, three = blobs(tmp_path, b"one", b"two", b"three")
    cat.prefetch([one, two, ABSENT])

    assert {three: ("blob", b"three")} == cat.read_many([three])
    found = cat.read_many([two, ABSENT, one])
    assert {two: ("blob", b"two"), one: ("blob", b"one"), ABSENT: None} == found
    assert 4 == cat.reads


def test_more_than_a_pipe_holds_can_be_asked_ahead(tmp_path: Path, cat: CatFile) -> None:
    """Objects that exceed the limit of a prefetch are read when they are needed."""
    contents = [b"%d" % number * 100 for number in range(9000)]
    oids = blobs(tmp_path, *contents)
    cat.prefetch(oids)

    found = cat.read_many(oids)

    assert contents == [each[1] for oid in oids if (each := found[oid])]
    assert len(contents) == cat.reads


def test_after_a_failure_it_begins_anew(
    tmp_path: Path, cat: CatFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an error, neither a partial answer nor prefetched objects are left."""
    one, two = blobs(tmp_path, b"one", b"two")
    cat.prefetch([one])
    with monkeypatch.context() as patch:
        patch.setattr(
            process.PipedProcess,
            "read_available",
            lambda _: (_ for _ in ()).throw(CommandError(("git",), 1)),
        )
        with pytest.raises(CommandError):
            cat.read_many([two])

    assert {one: ("blob", b"one"), two: ("blob", b"two")} == cat.read_many([one, two])


def test_many_repositories_have_few_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A superdataset with thousands of subdatasets; each is read whenever it is wanted."""
    monkeypatch.setattr(cat_file, "_MAX_PROCESSES", 3)
    cats, ids = [], []
    for number in range(6):
        folder = tmp_path / str(number)
        process.run(["git", "init", "-q", "--bare", str(folder)], env=ENV)
        ids.append(blobs(folder, b"%d" % number, b"x" * 2_000_000))
        cats.append(CatFile(folder, GitEnvironment(variables=ENV, home=tmp_path)))

    for _ in range(2):
        for number, cat in enumerate(cats):
            small, large = ids[number]
            assert ("blob", b"%d" % number) == cat.read_many([small])[small]
            cat.prefetch([large])
            assert len(CatFile._running) <= 3
    for number, cat in enumerate(cats):
        assert 2_000_000 == len((cat.read_many([ids[number][1]])[ids[number][1]] or ("", b""))[1])
        cat.close()
    assert not CatFile._running
