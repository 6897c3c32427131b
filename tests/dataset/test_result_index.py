"""The index of known results agrees with git; signatures are not required here."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tea_runner.core.git.branch_results_scope import scope_of
from tea_runner.core.results.manifest import Manifest, Row
from tea_runner.core.results.manifest_text import format_head
from tea_runner.core.results.result import ResultFile
from tea_runner.dataset import result_index
from tea_runner.dataset.git_environment import make_environment
from tea_runner.dataset.mirror import Mirror
from tea_runner.dataset.result_index import ResultIndex
from tea_runner.host import process
from tests.clone import Clone


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """A user's clone of an empty forge."""
    bare = tmp_path / "forge.git"
    process.run(["git", "init", "-q", "--bare", "-b", "main", str(bare)], env=dict(os.environ))
    process.run(
        ["git", "-C", str(bare), "config", "uploadpack.allowFilter", "true"], env=dict(os.environ)
    )
    return Clone(tmp_path / "clone", bare.as_uri())


@pytest.fixture
def mirror(clone: Clone, tmp_path: Path) -> Iterator[Mirror]:
    """A mirror of that forge."""
    environment = make_environment(tmp_path, path=os.environ["PATH"], protocols=["file"])
    made = Mirror(tmp_path / "mirror.git", clone.url, environment)
    yield made
    made.close()


def settle(clone: Clone, home: str, *rows: tuple[str, str], text: str = "x") -> str:
    """Commit a manifest with rows (key, path), and their files, in one commit."""
    for _, path in rows:
        file = clone.path / home / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    clone.git("add", "-A")
    manifest = Manifest.of(tuple(Row(key, key, "", (path,)) for key, path in rows))
    return clone.commit(f"{home}/manifest.tsv", format_head(manifest).decode())


def outputs(index: ResultIndex, key: str) -> tuple[ResultFile, ...] | None:
    """The index's answer for a key."""
    found = index.find([key]).get(key)
    return found[0].result.outputs if found else None


def test_results_of_all_branches_and_of_the_past_are_known(clone: Clone, mirror: Mirror) -> None:
    """Keys of an older manifest, another branch and a nested folder are known; others are not."""
    settle(clone, "up", ("k1", "a"), text="one")
    settle(clone, "up", ("k2", "a"), text="two")
    clone.git("switch", "-q", "-c", "other")
    settle(clone, "deep/er/down", ("k3", "b"), text="three")
    clone.push("main", "other")
    mirror.fetch()
    index = ResultIndex(mirror)
    index.update()

    assert {"k1", "k2", "k3"} == index.known(["k1", "k2", "k3", "k4"]).keys()
    blobs = [outputs(index, key)[0].name for key in ("k1", "k2", "k3")]  # type: ignore[index]
    assert [b"one", b"two", b"three"] == [mirror.objects.blob(blob) for blob in blobs]
    assert outputs(index, "k4") is None
    index.close()


def test_a_deleted_index_gives_the_same_answers(clone: Clone, mirror: Mirror) -> None:
    """An index that grew, one that was rebuilt and one made from an empty file are equal."""
    mirror.fetch()
    index = ResultIndex(mirror)
    for number in range(3):
        settle(clone, "up", (f"k{number}", "a"), text=str(number))
        clone.push("main")
        mirror.fetch()
        assert 1 == index.update()
        assert 0 == index.update()
    keys = [f"k{number}" for number in range(4)]
    learned = [outputs(index, key) for key in keys]
    index.rebuild()
    rebuilt = [outputs(index, key) for key in keys]
    index.close()
    index.path.unlink()
    new = ResultIndex(mirror)
    new.update()

    assert learned == rebuilt == [outputs(new, key) for key in keys]
    new.close()


def test_a_branch_that_was_rewritten_does_not_confuse_it(clone: Clone, mirror: Mirror) -> None:
    """After a forced push, new manifests are read; results of old ones stay known."""
    settle(clone, "up", ("k1", "a"))
    clone.push("main")
    mirror.fetch()
    index = ResultIndex(mirror)
    index.update()
    clone.git("commit", "-q", "--amend", "-m", "other words")
    settle(clone, "up", ("k2", "a"), text="two")
    clone.push("+main")
    mirror.fetch()
    index.update()

    assert {"k1", "k2"} == index.known(["k1", "k2"]).keys()
    index.close()


def test_a_result_that_is_not_whole_is_none(clone: Clone, mirror: Mirror) -> None:
    """A result counts only if its commit has all files that the manifest names."""
    manifest = Manifest.of((Row("d", "k1", "", ("gone",)),))
    clone.commit("up/manifest.tsv", format_head(manifest).decode())
    clone.push("main")
    mirror.fetch()
    index = ResultIndex(mirror)
    index.update()

    assert outputs(index, "k1") is None
    index.close()


def test_a_key_that_came_whole_again_is_found_there(clone: Clone, mirror: Mirror) -> None:
    """When the first commit lacks a file and a later one has it, the later one counts."""
    manifest = format_head(Manifest.of((Row("k1", "k1", "", ("a",)),))).decode()
    clone.commit("up/manifest.tsv", manifest)
    clone.push("main")
    mirror.fetch()
    index = ResultIndex(mirror)
    index.update()
    settle(clone, "up", ("k1", "a"), ("k2", "b"))
    clone.push("main")
    mirror.fetch()
    index.update()

    assert outputs(index, "k1") is not None
    index.close()


def test_a_large_manifest_is_fetched_for_itself(clone: Clone, mirror: Mirror) -> None:
    """A mirror lacks blobs of 32 KiB and more; those of manifests are fetched, others are not."""
    rows = [(f"{number:064}", f"f{number}") for number in range(500)]
    (clone.path / "big").write_text("x" * 40_000)
    settle(clone, "up", *rows)
    clone.push("main")
    mirror.fetch()
    index = ResultIndex(mirror)
    index.update()

    assert 500 == len(index.known([key for key, _ in rows]))
    assert mirror.objects.blob(clone.git("rev-parse", "HEAD:big")) is None
    index.close()


def test_more_trusted_branches_and_fewer(clone: Clone, mirror: Mirror) -> None:
    """A branch that is trusted from now on is read, and nothing else; one that is not loses its rows."""
    settle(clone, "up", ("k1", "a"))
    clone.git("switch", "-q", "-c", "release")
    settle(clone, "up", ("k2", "a"), text="two")
    clone.push("main", "release")
    mirror.fetch()

    def known(*trusted: str) -> tuple[int, set[str]]:
        index = ResultIndex(mirror, trusted=trusted, update_refs=mirror.update)
        try:
            return index.update(), set(index.known(["k1", "k2"]))
        finally:
            index.close()

    assert (2, {"k1"}) == known("main"), "each branch is read for itself"
    assert (1, {"k1", "k2"}) == known("main", "release"), "only the new one is read"
    assert (0, {"k1", "k2"}) == known("main", "release", "gone")
    assert (0, {"k1", "k2"}) == known("main", "release"), "a branch that does not exist"
    assert (2, {"k1"}) == known("main"), "the other one is read for itself"


def test_former_tips_of_an_untrusted_branch_are_forgotten(clone: Clone, mirror: Mirror) -> None:
    """What a branch held before it was rewritten counts no more than the branch."""
    settle(clone, "up", ("k1", "a"))
    clone.push("main", "main:release")
    clone.git("switch", "-q", "-c", "release")
    settle(clone, "up", ("k2", "a"), text="two")
    clone.push("release")
    mirror.fetch()
    index = ResultIndex(mirror, trusted=["main", "release"], update_refs=mirror.update)
    index.update()
    clone.push("+main:release")
    mirror.fetch()
    index.update()
    assert {"k1", "k2"} == set(index.known(["k1", "k2"])), "a trusted branch was rewritten"
    index.close()

    index = ResultIndex(mirror, trusted=["main"], update_refs=mirror.update)
    index.update()
    assert {"k1"} == set(index.known(["k1", "k2"]))
    index.close()


def test_only_the_latest_replaced_results_of_a_branch_are_kept(
    clone: Clone, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each push replaces the results beside a branch: its refs do not grow, and its rows stay known."""
    monkeypatch.setattr(result_index, "_MOST_KEPT", 2)
    scope = scope_of("feature", ["main"])
    clone.commit("README", "x")
    clone.push("main")
    index, keys = None, [f"k{number}" for number in range(5)]
    for number, key in enumerate(keys):
        clone.git("switch", "-q", "-C", "made", "main")
        settle(clone, "up", (key, "a"), text=str(number))
        clone.push("+made:tea/results/feature")
        mirror.fetch()
        index = index or ResultIndex(mirror, trusted=["main"], update_refs=mirror.update)
        index.update()
    assert index is not None
    assert 2 == len(mirror.refs(f"refs/kept/{scope}/"))
    assert (set(keys), set()) == (set(index.known(keys, scope)), set(index.known(keys)))
    index.close()


def test_an_index_with_outdated_trust_adds_nothing(clone: Clone, mirror: Mirror) -> None:
    """Of two processes, the one that has not heard of the change does not undo it."""
    settle(clone, "up", ("k1", "a"))
    clone.push("main")
    mirror.fetch()
    old = ResultIndex(mirror, trusted=["main", "release"])
    new = ResultIndex(mirror, trusted=["main"])
    clone.git("switch", "-q", "-c", "release")
    settle(clone, "up", ("k2", "a"), text="two")
    clone.push("release")
    mirror.fetch()
    old.update()
    new.update()

    assert {"k1"} == set(new.known(["k1", "k2"]))
    old.close()
    new.close()
