"""Trees are remembered while there is work, and let go of when they were of no use to it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tea_runner.adapters import objects, process
from tea_runner.adapters.gitenv import GitEnvironment
from tea_runner.adapters.objects import ObjectReader


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


def test_what_a_piece_of_work_needs_is_read_once(reader: ObjectReader) -> None:
    """However much it is."""
    oids = [_tree(reader, letter) for letter in "abc"]
    for oid in oids * 3:
        assert 10 == len(reader.tree(oid))
    assert 3 == reader.reads


def test_trees_of_no_use_are_let_go(reader: ObjectReader, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the last two pieces of work needed stays; what neither needed is read again."""
    monkeypatch.setattr(objects, "_NAMES", 15)
    a, b, c = (_tree(reader, letter) for letter in "abc")
    for needed in ((a, b), (a, b), (b, c), (b, c)):
        for oid in needed:
            reader.tree(oid)
        reader.rest()
    assert 3 == reader.reads
    reader.tree(b)
    assert 3 == reader.reads
    reader.tree(a)
    assert 4 == reader.reads


def test_a_few_trees_are_kept(reader: ObjectReader) -> None:
    """They cost nothing."""
    oid = _tree(reader, "a")
    for _ in range(5):
        reader.tree(oid)
        reader.rest()
    assert 1 == reader.reads


def test_there_is_a_bound_while_work_goes_on(
    reader: ObjectReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who never rests forgets, too: first what was not used for longest."""
    monkeypatch.setattr(objects, "_TREES", 1)
    a, b, c = (_tree(reader, letter) for letter in "abc")
    for oid in (a, b, b, a):
        reader.tree(oid)
    assert 2 == reader.reads
    for oid in (c, b):
        reader.tree(oid)
    assert 4 == reader.reads
