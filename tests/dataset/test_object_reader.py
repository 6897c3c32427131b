"""Trees are remembered while there is work, and let go of when they were of no use to it."""

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
    """A repository of three trees with ten names each."""
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
    """One that has room for one and a half of the trees, by the bound that is named."""
    found = reader.read(_tree(reader, "a"))
    assert found is not None
    monkeypatch.setattr(tree_cache, request.param, len(found[1]) * 3 // 2)
    monkeypatch.setattr(tree_cache, "_MAX_PARSED_ENTRIES", 0)
    env = GitEnvironment(variables=dict(os.environ), home=reader.git_dir)
    made = ObjectReader(reader.git_dir, env)
    yield made
    made.close()


def test_what_a_piece_of_work_needs_is_read_once(reader: ObjectReader) -> None:
    """However much it is."""
    oids = [_tree(reader, letter) for letter in "abc"]
    for oid in oids * 3:
        assert 10 == len(reader.tree(oid))
    assert 3 == reader.reads


@pytest.mark.parametrize("tight", ["_MAX_IDLE_BYTES"], indirect=True)
def test_trees_of_no_use_are_let_go(tight: ObjectReader) -> None:
    """What a piece of work needed stays during the next one; what neither needed is read again."""
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
    """They cost nothing."""
    oid = _tree(reader, "a")
    for _ in range(5):
        reader.tree(oid)
        reader.evict()
    assert 1 == reader.reads


@pytest.mark.parametrize("tight", ["_MAX_BYTES"], indirect=True)
def test_there_is_a_bound_while_work_goes_on(tight: ObjectReader) -> None:
    """Who never rests forgets, too: first what was read longest ago."""
    a, *others = (_tree(tight, letter) for letter in "abcdef")
    for oid in (a, *others):
        tight.tree(oid)
    assert 6 == tight.reads
    tight.tree(others[-1])
    assert 6 == tight.reads
    tight.tree(a)
    assert 7 == tight.reads
