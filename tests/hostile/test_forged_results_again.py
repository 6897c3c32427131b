"""Rows of known results by other ways: odd files and modes in place of those that are signed."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tea_runner.core.git.tree import LINK, PLAIN, TreeEntry, edit_tree
from tea_runner.core.results import manifest_text
from tea_runner.core.results.manifest import Manifest, Row, piece_of
from tea_runner.core.results.manifest_statement import (
    Statement,
    format_statement,
    join_signature,
)
from tea_runner.dataset.cat_file import MAX_OBJECT
from tea_runner.dataset.dataset_base import GitDataset
from tests.contracts.dataset_sides import KEYS, Side
from tests.contracts.dataset_sides import side as side
from tests.contracts.test_objects import WHO

Files = Mapping[str, tuple[int, bytes] | None]


def commit(side: Side, files: Files, upon: str) -> str:
    """A commit with these modes and contents upon another."""
    store, objects = side.dataset.writer(), side.dataset.objects
    changes = {
        path: None if file is None else TreeEntry(file[0], store.add("blob", file[1]))
        for path, file in files.items()
    }

    def read(oid: str) -> Mapping[str, TreeEntry]:
        return store.trees.get(oid) or objects.tree(oid)

    root = edit_tree(read, store.tree, objects.commit(upon).tree, changes) or store.tree({})
    side.seconds += 10
    made = store.commit(root, [upon], "x\n", who=WHO, seconds=side.seconds)
    store.flush()
    return made


def sign(side: Side, upon: str, home: str = "home") -> str:
    """A commit with a signature of whatever is at a home, as the next results commit makes it."""
    objects = side.dataset.objects
    files = objects.tree(objects.tree(objects.commit(upon).tree)[home].oid)
    pieces = files.get("manifest.d")
    statement = Statement(
        repository="" if side.dataset.is_clone else side.dataset.name,
        home=home,
        manifest=files["manifest.tsv"].oid,
        pieces=pieces.oid if pieces else "",
        inputs_at=upon,
    )
    text = format_statement(statement)
    signed = join_signature(text, side.dataset.sign_results(text))
    return commit(side, {f"{home}/{statement.path}": (PLAIN, signed)}, upon)


def label_in(number: int, count: int) -> str:
    """A label whose row belongs to a piece."""
    return next(f"in:{n}" for n in range(10_000) if piece_of(f"in:{n}", count) == number)


def test_a_link_in_place_of_a_piece_states_nothing(side: Side) -> None:
    """Planning passes over it, so that it stays when the manifest is signed."""
    count = 4
    forged = Row(label_in(3, count), KEYS[0], "", (), (), (), ran="trusted")
    text = manifest_text.format_rows([forged])
    piece = f"home/manifest.d/{manifest_text.piece_names(count)[3]}"
    head = f"# {manifest_text.FORMAT}\n# pieces {count}\n".encode()
    first = commit(
        side,
        {"home/manifest.tsv": (PLAIN, head), piece: (LINK, text)},
        side.dataset.tip("main") or "",
    )
    signed = sign(side, first)
    gone = commit(side, {piece: None}, signed)
    again = commit(side, {piece: (LINK, text)}, gone)
    for tip in (first, signed, gone, again):
        side.push("refs/heads/mallory", tip)
        side.dataset.refresh()
        assert side.known() == {}


def test_folders_whose_names_are_not_utf_8_stop_nothing(side: Side) -> None:
    """Neither those of pipelines nor those of outputs."""
    row = Row("in:a", KEYS[0], "place\udcff", (), (), (), ran="trusted")
    head = manifest_text.format_head(Manifest.of([row]))
    first = commit(side, {"\udcfe/manifest.tsv": (PLAIN, head)}, side.dataset.tip("main") or "")
    signed = sign(side, first, home="\udcfe")
    side.push("refs/heads/mallory", signed)
    side.dataset.refresh()

    assert side.known() == {KEYS[0]: signed}


@pytest.mark.long
@pytest.mark.parametrize("side", ["forge", "clone"], indirect=True)
def test_a_commit_that_is_too_large_to_read_stops_nothing(side: Side) -> None:
    """It has a manifest, and is on a branch of somebody."""
    dataset = side.dataset
    known = side.settled(dataset.tip("main") or "", KEYS[0])
    tree = dataset.objects.commit(known).tree
    who = "Mallory <mallory@example.org> 5 +0000"
    header = f"tree {tree}\nauthor {who}\ncommitter {who}\n\n"
    raw = header.encode() + b"x" * (MAX_OBJECT + 1)
    assert isinstance(dataset, GitDataset)
    oid = dataset.repository.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=raw).decode()
    side.push("refs/heads/main", known)
    side.push("refs/heads/mallory", oid.strip())
    dataset.refresh()

    assert side.known() == {KEYS[0]: known}
