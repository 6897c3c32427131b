"""Known results: memory, a mirror of a forge, a person's clone."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tea_runner.core.git.tree import walk_tree
from tea_runner.core.results import manifest_text
from tea_runner.core.results.manifest import Manifest, Row
from tests.contracts.dataset_sides import Side
from tests.contracts.dataset_sides import side as side
from tests.contracts.test_objects import UNKNOWN

TRUSTED = ("main", "release/*")
KEYS = tuple(letter * 64 for letter in "abc")


def test_keys_of_all_manifests_of_a_branch_are_known(side: Side) -> None:
    """Of the tip and of its history, with the commit that brought them."""
    first = side.settled(side.dataset.tip("main") or "", KEYS[0])
    second = side.settled(first, KEYS[1])
    side.push("refs/heads/main", second)
    side.dataset.refresh()

    assert side.known() == {KEYS[0]: first, KEYS[1]: second}
    assert dict(side.dataset.signed_results([])) == {}


def test_a_known_result_names_its_files_by_content(side: Side) -> None:
    """None for an unknown key."""
    tip = side.settled(side.dataset.tip("main") or "", KEYS[0])
    side.push("refs/heads/main", tip)
    side.dataset.refresh()
    assert side.known() == {KEYS[0]: tip}
    result = side.dataset.known_results(KEYS[:1]).get(KEYS[0])

    assert result is not None
    (output,) = result.outputs
    assert (output.path, output.kind, output.size) == ("a.txt", "git", 65)
    assert side.dataset.objects.blob(output.name) == f"{KEYS[0]} ".encode()
    assert {} == side.dataset.known_results([KEYS[1]])


def test_the_first_result_of_a_key_counts_unless_it_was_recomputed(side: Side) -> None:
    """Nobody can replace a result by a later commit, except by a recompute that is stated as such."""
    first = side.settled(side.dataset.tip("main") or "", KEYS[0])
    second = side.settled(first, KEYS[0], text="other")
    side.push("refs/heads/main", second)
    side.dataset.refresh()
    assert side.known() == {KEYS[0]: first}
    third = side.settled(second, KEYS[0], text="again", again=KEYS[0])
    side.push("refs/heads/main", third)
    side.dataset.refresh()

    assert side.known() == {KEYS[0]: third}


def test_an_old_signed_manifest_in_a_new_commit_replaces_nothing(side: Side) -> None:
    """Its signature holds, but the time that counts is that of its inputs."""
    first = side.settled(side.dataset.tip("main") or "", KEYS[0], text="one", again=KEYS[0])
    second = side.settled(first, KEYS[0], text="two", again=KEYS[0])
    old = {
        path: side.dataset.objects.blob(entry.oid) or b""
        for path, entry in walk_tree(
            side.dataset.objects.tree, side.dataset.objects.commit(first).tree
        )
    }
    third, _ = side.write(old, upon=second)
    side.push("refs/heads/main", third)
    side.dataset.refresh()

    assert side.known() == {KEYS[0]: second}


def test_results_of_another_branch_come_last(side: Side) -> None:
    """Each states for what it was computed, and whether the branch that is read has it itself."""
    first = side.settled(side.dataset.tip("main") or "", KEYS[0])
    second = side.settled(first, KEYS[1], ran="branch memory=10")
    side.push("refs/heads/main", first)
    side.push("refs/heads/feature", second)
    side.dataset.refresh()
    feature = side.dataset.scope("feature")

    def found(scope: str) -> dict[str, tuple[str, str, bool]]:
        signed = side.dataset.signed_results(KEYS, scope)
        return {
            key: (one.commit, str(one.ran), one.own)
            for key, results in signed.items()
            for one in results
        }

    trusted = {KEYS[0]: (first, "trusted", True)}
    assert found("") == {**trusted, KEYS[1]: (second, "branch memory=10", False)}
    assert found(feature) == {**trusted, KEYS[1]: (second, "branch memory=10", True)}
    assert found("bbbb") == {**trusted, KEYS[1]: (second, "branch memory=10", False)}
    assert {} == side.dataset.known_results([KEYS[1]], accepts=lambda signed: signed.own)


def test_a_merged_row_of_a_branch_stays_one_of_a_branch(side: Side) -> None:
    """Also where it is found on a trusted branch only."""
    tip = side.settled(side.dataset.tip("main") or "", KEYS[0], ran="branch")
    side.push("refs/heads/main", tip)
    side.dataset.refresh()

    (found,) = side.dataset.signed_results(KEYS)[KEYS[0]]
    assert (str(found.ran), found.own) == ("branch", False)


def test_a_manifest_whose_files_are_not_there_does_not_count(side: Side) -> None:
    """Nor one with other files, nor one that cannot be parsed."""
    tip = side.dataset.tip("main") or ""
    row = Row("in:a", KEYS[0], "", ("gone.txt",), (f"git:{UNKNOWN}",), (1,), ran="trusted")
    head = manifest_text.format_head(Manifest.of([row]))
    absent = side.signed({"home/manifest.tsv": head, "b/manifest.tsv": b"nonsense"}, tip)
    other = side.signed({"home/manifest.tsv": head, "home/gone.txt": b"other"}, absent)
    side.push("refs/heads/main", other)
    side.dataset.refresh()

    assert side.known() == {}


@pytest.mark.parametrize(
    "change",
    [
        lambda files, sig: files.pop(sig),
        lambda files, sig: files.update({sig: files[sig].replace(b"home home", b"home hom")}),
        lambda files, sig: files.update({sig: files[sig][:-90] + b"A" + files[sig][-89:]}),
        lambda files, sig: files.update(
            {"home/manifest.tsv": files["home/manifest.tsv"].replace(b"in:a", b"in:b")}
        ),
    ],
    ids=["without a signature", "of another statement", "damaged", "an edited row"],
)
def test_a_manifest_without_a_valid_signature_does_not_count(
    side: Side, change: Callable[[dict[str, bytes], str], object]
) -> None:
    """Whoever can push can write one."""
    upon = side.dataset.tip("main") or ""
    honest = side.settled(upon, KEYS[0])
    objects = side.dataset.objects
    files = {
        path: objects.blob(entry.oid) or b""
        for path, entry in walk_tree(objects.tree, objects.commit(honest).tree)
    }
    change(files, next(path for path in files if path.endswith(".sig")))
    forged, _ = side.write(files)
    side.push("refs/heads/main", forged)
    side.dataset.refresh()

    assert side.known() == {}


def test_a_signature_of_another_repository_does_not_count_on_the_forge(side: Side) -> None:
    """Whoever owns a repository there decides what is trusted in it; a person chooses their clones."""
    tip = side.dataset.tip("main") or ""
    name, side.dataset.name = side.dataset.name, "mallory/data"
    copied = side.settled(tip, KEYS[0])
    side.dataset.name = name
    side.push("refs/heads/main", copied)
    side.dataset.refresh()

    assert side.known() == ({KEYS[0]: copied} if side.dataset.is_clone else {})


def test_no_other_repository_counts_unless_it_is_trusted(side: Side) -> None:
    """By default none is."""
    assert list(side.dataset.trusted_repositories) == []
    assert dict(side.dataset.known_in_other_repositories(KEYS)) == {}
