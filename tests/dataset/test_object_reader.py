"""Trees are cached during a job or plan, and evicted when it did not use them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tea_runner.dataset import tree_cache
from tea_runner.dataset.git_environment import GitEnvironment
from tea_runner.dataset.object_reader import ObjectReader
from tea_runner.host import process


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[ObjectReader]:
    """A repository with three trees of ten entries each."""
    env = dict(os.environ)
    process.run(["git", "init", "-q", "--bare", str(tmp_path)], env=env)
    made = ObjectReader(tmp_path, GitEnvironment(variables=env, home=tmp_path))
    yield made
    made.close()


def _tree(reader: ObjectReader, letter: str) -> str:
    git = ["git", f"--git-dir={reader.git_dir}"]
    env = dict(os.environ)
    blob = process.run([*git, "hash-object", "-w", "--stdin"], env=env, stdin=b"x").stdout
    rows = "".join(f"100644 blob {blob.decode().strip()}\t{letter}{n}\n" for n in range(10))
    return process.run([*git, "mktree"], env=env, stdin=rows.encode()).stdout.decode().strip()


@pytest.fixture
def tight(
    reader: ObjectReader, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[ObjectReader]:
    """A reader whose cache holds one and a half of the trees, by the limit in the parameter."""
    found = reader.read(_tree(reader, "a"))
    assert found is not None
    monkeypatch.setattr(tree_cache, request.param, len(found[1]) * 3 // 2)
    monkeypatch.setattr(tree_cache, "_MAX_PARSED_ENTRIES", 0)
    env = GitEnvironment(variables=dict(os.environ), home=reader.git_dir)
    made = ObjectReader(reader.git_dir, env)
    yield made
    made.close()


def test_what_a_piece_of_work_needs_is_read_once(reader: ObjectReader) -> None:
    """Whatever its size."""
    oids = [_tree(reader, letter) for letter in "abc"]
    for oid in oids * 3:
        assert 10 == len(reader.tree(oid))
    assert 3 == reader.reads


@pytest.mark.parametrize("tight", ["_MAX_IDLE_BYTES"], indirect=True)
def test_trees_of_no_use_are_let_go(tight: ObjectReader) -> None:
    """Trees that one job used are cached during the next; those that neither used are read again."""
    a, b, c, d = (_tree(tight, letter) for letter in "abcd")
    for needed in ((a, b), (c, d)):
        for oid in needed:
            tight.tree(oid)
        tight.evict()
    assert 4 == tight.reads
    tight.tree(c)
    assert 4 == tight.reads
    tight.tree(a)
    assert 5 == tight.reads


def test_a_few_trees_are_kept(reader: ObjectReader) -> None:
    """Small trees stay cached."""
    oid = _tree(reader, "a")
    for _ in range(5):
        reader.tree(oid)
        reader.evict()
    assert 1 == reader.reads


@pytest.mark.parametrize("tight", ["_MAX_BYTES"], indirect=True)
def test_there_is_a_bound_while_work_goes_on(tight: ObjectReader) -> None:
    """Without a pause between jobs, the trees that were read first are evicted first."""
    a, *others = (_tree(tight, letter) for letter in "abcdef")
    for oid in (a, *others):
        tight.tree(oid)
    assert 6 == tight.reads
    tight.tree(others[-1])
    assert 6 == tight.reads
    tight.tree(a)
    assert 7 == tight.reads
