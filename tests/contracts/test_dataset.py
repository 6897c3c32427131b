"""Dataset: memory, a mirror of a forge, a person's clone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tea_runner.core.errors import OutsideError
from tea_runner.core.git.results_scope import scope_of
from tea_runner.core.git.tree import PLAIN, TreeEntry, edit_tree
from tea_runner.core.results import manifest_text
from tea_runner.core.results.manifest import RECOMPUTED, Manifest, Row
from tea_runner.core.results.result import Result, ResultFile, format_results
from tea_runner.dataset.forge_dataset import ForgeDataset
from tea_runner.dataset.git_dataset import GitDataset
from tea_runner.dataset.git_environment import make_environment
from tea_runner.dataset.local_clone import open_clone
from tea_runner.dataset.mirror import Mirror
from tea_runner.host import process
from tea_runner.ports import Dataset
from tests.contracts.test_objects import UNKNOWN, WHO, bare
from tests.twins.dataset import MemoryDataset

TRUSTED = ("main", "release/*")
KEYS = tuple(letter * 64 for letter in "abc")


@dataclass
class Side:
    """A dataset, and the forge that others push to."""

    dataset: Dataset
    #: Move a ref of the forge, as somebody else's push does.
    push: Callable[[str, str], object]
    #: End the forge.
    stop: Callable[[], object]
    seconds: int = 0

    def write(
        self, files: Mapping[str, bytes], *, upon: str = "", message: str = "x\n"
    ) -> tuple[str, dict[str, str]]:
        """A commit with these files upon another; its id and the blobs."""
        store, objects = self.dataset.writer(), self.dataset.objects
        blobs = {path: store.add("blob", data) for path, data in files.items()}
        root = objects.commit(upon).tree if upon else None
        changes = {path: TreeEntry(PLAIN, oid) for path, oid in blobs.items()}

        def read(oid: str) -> Mapping[str, TreeEntry]:
            return store.trees.get(oid) or objects.tree(oid)

        tree = edit_tree(read, store.tree, root, changes) or store.tree({})
        self.seconds += 10
        parents = [upon] if upon else []
        commit = store.commit(tree, parents, message, who=WHO, seconds=self.seconds)
        store.flush()
        return commit, blobs

    def results(self, *keys: str, salt: str = "") -> tuple[str, list[Result]]:
        """A commit as workers leave it, with a result of one file for each key."""
        files = {f"{key[0]}.txt": f"{key} {salt}".encode() for key in keys}
        _, blobs = self.write(files)
        found = [
            Result(key, (ResultFile("out", "git", blobs[f"{key[0]}.txt"], 0),), salt=salt)
            for key in keys
        ]
        commit, _ = self.write({**files, "results.json": format_results(found)})
        return commit, found

    def settled(self, upon: str, *keys: str, text: str = "", again: str = "") -> str:
        """A results commit: a manifest in ``home`` and a file for each key."""
        rows = [Row(f"in:{key[0]}", key, "", (f"{key[0]}.txt",)) for key in keys]
        manifest = Manifest.of(rows, parts={RECOMPUTED: again} if again else {}, inputs_at=upon)
        files = {f"home/{key[0]}.txt": (text or key).encode() for key in keys}
        head = {"home/manifest.tsv": manifest_text.format_head(manifest)}
        return self.write({**files, **head}, upon=upon)[0]


@pytest.fixture(params=["memory", "forge", "clone"])
def side(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Side]:
    """Each implementation in turn, with one commit on ``main``."""
    made: Any
    if request.param == "memory":
        memory = MemoryDataset(trusted=TRUSTED)
        memory.storage = ""

        def unreachable() -> None:
            memory.reachable = False

        made = Side(memory, memory.forge.__setitem__, unreachable)
    else:
        forge = bare(tmp_path / "forge.git")
        environment = make_environment(tmp_path, path=os.environ["PATH"], protocols=["file"])
        mirror = Mirror(tmp_path / "mirror.git", forge.as_uri(), environment)
        if request.param == "clone":
            clone = tmp_path / "clone"
            process.run(["git", "init", "-q", "-b", "other", str(clone)], env=dict(os.environ))
            dataset: GitDataset = open_clone(clone, os.environ)
            process.run(
                ["git", "-C", str(clone), "commit", "-q", "--allow-empty", "-m", "x"],
                env=dict(os.environ),
            )
            dataset._trusted = lambda _: TRUSTED
        else:
            dataset = ForgeDataset("lab/data", mirror, trusted=lambda _: TRUSTED)

        def push(ref: str, oid: str) -> None:
            if request.param == "clone":
                dataset.repository.git("update-ref", ref, oid)
            else:
                mirror.git("push", "-q", "-f", "origin", f"{oid}:{ref}")
                mirror.fetch()

        mirror.ensure()
        made = Side(dataset, push, lambda: shutil.rmtree(forge))
    first, _ = made.write({"raw/a": b"1"})
    made.push("refs/heads/main", first)
    made.dataset.refresh()
    yield made
    if not isinstance(made.dataset, MemoryDataset):
        made.dataset.close()
        mirror.close()


def test_a_branch_has_a_tip_once_it_was_fetched(side: Side) -> None:
    """None where there is no such branch; ``git-annex`` is a branch, too."""
    tip, _ = side.write({"raw/a": b"2"})
    side.push("refs/heads/release/1", tip)
    side.push("refs/heads/git-annex", tip)
    side.dataset.refresh()

    assert side.dataset.tip("release/1") == tip
    assert side.dataset.annex_tip() == tip
    assert side.dataset.tip("release") is None
    assert side.dataset.tip("nothing") is None


def test_scopes_follow_the_trusted_branches(side: Side) -> None:
    """A pull request's branch is in none of them."""
    assert side.dataset.scope("main") == ""
    assert side.dataset.scope("release/2") == ""
    assert side.dataset.scope("feature") == scope_of("feature", TRUSTED) != ""


# -- publishing ------------------------------------------------------------------------------


def test_refs_move_together_from_what_is_expected(side: Side) -> None:
    """Changed, made, deleted; known here at once."""
    first = side.dataset.tip("main")
    assert first is not None
    second, _ = side.write({"raw/a": b"2"}, upon=first)
    new: list[tuple[str, str, str | None]] = [
        ("refs/heads/main", second, first),
        ("refs/tea/jobs/1", first, None),
    ]

    assert side.dataset.publish(new)
    assert side.dataset.tip("main") == second
    assert side.dataset.publish([("refs/tea/jobs/1", "", first)])
    assert side.dataset.publish([("refs/tea/jobs/1", second, None)])


@pytest.mark.parametrize("expected", [None, UNKNOWN])
def test_nothing_moves_when_a_ref_has_another_id(side: Side, expected: str | None) -> None:
    """All or none, in whatever order they are named."""
    first = side.dataset.tip("main")
    assert first is not None
    second, _ = side.write({"raw/a": b"2"}, upon=first)
    good: tuple[str, str, str | None] = ("refs/heads/new", second, None)
    bad: tuple[str, str, str | None] = ("refs/heads/main", second, expected)

    assert not side.dataset.publish([good, bad])
    assert not side.dataset.publish([bad, good])
    side.dataset.refresh()
    assert (side.dataset.tip("main"), side.dataset.tip("new")) == (first, None)


def test_a_ref_that_is_gone_is_not_moved(side: Side) -> None:
    """Neither changed nor deleted."""
    first = side.dataset.tip("main")
    assert first is not None

    assert not side.dataset.publish([("refs/heads/other2", first, first)])


def test_job_refs_are_deleted_if_they_are_there(side: Side) -> None:
    """Unknown ones are passed over."""
    commit, _ = side.results(KEYS[0])
    assert side.dataset.publish([("refs/tea/jobs/1", commit, None)])
    side.dataset.delete_job_refs(["refs/tea/jobs/1", "refs/tea/jobs/2"])
    side.dataset.delete_job_refs([])

    assert dict(side.dataset.unsettled_results()) == {}


# -- results of jobs -------------------------------------------------------------------------


def test_results_at_refs_of_jobs_are_found(side: Side) -> None:
    """Key to ref and result; what is no result counts as none."""
    commit, (one, two) = side.results(*KEYS[:2])
    garbage, _ = side.write({"results.json": b"nonsense"})
    side.push("refs/tea/jobs/1", commit)
    side.push("refs/tea/jobs/2", garbage)
    side.dataset.refresh()

    assert dict(side.dataset.unsettled_results()) == {
        KEYS[0]: ("refs/tea/jobs/1", one),
        KEYS[1]: ("refs/tea/jobs/1", two),
    }


def test_the_first_ref_counts_and_a_recomputed_result_before_it(side: Side) -> None:
    """For every reader alike."""
    first, (one,) = side.results(KEYS[0])
    second, _ = side.results(KEYS[0], KEYS[1])
    side.push("refs/tea/jobs/1", first)
    side.push("refs/tea/jobs/2", second)
    side.dataset.refresh()
    assert side.dataset.unsettled_results()[KEYS[0]] == ("refs/tea/jobs/1", one)
    salted, (again,) = side.results(KEYS[0], salt="r1")
    side.push("refs/tea/jobs/3", salted)
    side.dataset.refresh()

    assert side.dataset.unsettled_results()[KEYS[0]] == ("refs/tea/jobs/3", again)


def test_results_of_a_scope_are_its_own(side: Side) -> None:
    """They come before trusted ones, and nobody else sees them."""
    mine, (own,) = side.results(KEYS[0])
    theirs, _ = side.results(KEYS[0], KEYS[1])
    side.push("refs/tea/scopes/aaaa/1", mine)
    side.push("refs/tea/jobs/1", theirs)
    side.dataset.refresh()

    assert side.dataset.unsettled_results("aaaa")[KEYS[0]] == ("refs/tea/scopes/aaaa/1", own)
    assert side.dataset.unsettled_results("aaaa").keys() == set(KEYS[:2])
    assert side.dataset.unsettled_results()[KEYS[0]][0] == "refs/tea/jobs/1"
    assert side.dataset.unsettled_results("bbbb")[KEYS[0]][0] == "refs/tea/jobs/1"


# -- known results ---------------------------------------------------------------------------


def test_keys_of_all_manifests_of_a_branch_are_known(side: Side) -> None:
    """Of the tip and of its history, with the commit that brought them."""
    first = side.settled(side.dataset.tip("main") or "", KEYS[0])
    second = side.settled(first, KEYS[1])
    side.push("refs/heads/main", second)
    side.dataset.refresh()

    assert dict(side.dataset.known_commits(KEYS)) == {KEYS[0]: first, KEYS[1]: second}
    assert dict(side.dataset.known_commits([])) == {}


def test_a_known_result_names_its_files_by_content(side: Side) -> None:
    """None for an unknown key."""
    tip = side.settled(side.dataset.tip("main") or "", KEYS[0])
    side.push("refs/heads/main", tip)
    side.dataset.refresh()
    assert side.dataset.known_commits(KEYS) == {KEYS[0]: tip}
    result = side.dataset.known_result(KEYS[0])

    assert result is not None
    (output,) = result.outputs
    assert (output.path, output.kind) == ("a.txt", "git")
    assert side.dataset.objects.blob(output.name) == KEYS[0].encode()
    assert side.dataset.known_result(KEYS[1]) is None


def test_the_first_result_of_a_key_counts_unless_it_was_recomputed(side: Side) -> None:
    """Nobody can replace a result by a later commit, except by a recompute that says so."""
    first = side.settled(side.dataset.tip("main") or "", KEYS[0])
    second = side.settled(first, KEYS[0], text="other")
    side.push("refs/heads/main", second)
    side.dataset.refresh()
    assert dict(side.dataset.known_commits(KEYS)) == {KEYS[0]: first}
    third = side.settled(second, KEYS[0], text="again", again=KEYS[0])
    side.push("refs/heads/main", third)
    side.dataset.refresh()

    assert dict(side.dataset.known_commits(KEYS)) == {KEYS[0]: third}


def test_a_branch_that_is_not_trusted_gives_results_to_itself(side: Side) -> None:
    """It reads the trusted ones, too."""
    first = side.settled(side.dataset.tip("main") or "", KEYS[0])
    second = side.settled(first, KEYS[1])
    side.push("refs/heads/main", first)
    side.push("refs/heads/feature", second)
    side.dataset.refresh()
    scope = side.dataset.scope("feature")

    assert dict(side.dataset.known_commits(KEYS)) == {KEYS[0]: first}
    assert dict(side.dataset.known_commits(KEYS, scope)) == {KEYS[0]: first, KEYS[1]: second}
    assert dict(side.dataset.known_commits(KEYS, "bbbb")) == {KEYS[0]: first}


def test_a_manifest_whose_files_are_not_there_is_not_believed(side: Side) -> None:
    """Nor one that cannot be read."""
    rows = [Row("in:a", KEYS[0], "", ("gone.txt",))]
    head = manifest_text.format_head(Manifest.of(rows))
    tip, _ = side.write({"home/manifest.tsv": head, "b/manifest.tsv": b"nonsense"})
    side.push("refs/heads/main", tip)
    side.dataset.refresh()

    assert dict(side.dataset.known_commits(KEYS)) == {}


def test_no_other_repository_counts_unless_it_is_trusted(side: Side) -> None:
    """By default none is."""
    assert list(side.dataset.trusted_repositories) == []
    assert dict(side.dataset.known_in_other_repositories(KEYS)) == {}


# -- when the world fails --------------------------------------------------------------------


def test_a_forge_that_is_gone_is_an_outside_error(side: Side) -> None:
    """For what asks it; what was fetched can still be read."""
    tip = side.dataset.tip("main")
    assert tip is not None
    if side.dataset.is_clone:
        return  # It asks no forge.
    side.stop()
    with pytest.raises(OutsideError):
        side.dataset.refresh()
    with pytest.raises(OutsideError):
        side.dataset.publish([("refs/heads/main", "", tip)])
    side.dataset.delete_job_refs(["refs/tea/jobs/1"])

    assert side.dataset.tip("main") == tip
