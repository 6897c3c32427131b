"""Manifests: written and parsed with any paths and labels, and edited by few rows."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tea_runner.core.datums.datum import Datum, Entry
from tea_runner.core.results.manifest import Manifest, ManifestPiece, Row, piece_of, pieces_for
from tea_runner.core.results.manifest_text import (
    DIRECTORY,
    NAME,
    ManifestError,
    edited_files,
    format_rows,
    parse_head,
    parse_piece,
    piece_names,
    piece_number,
)

part = st.text(
    st.one_of(
        st.characters(exclude_characters="/\0", exclude_categories=["Cs"]),
        st.sampled_from("\udc80\udcff\t\n\r %#\x85\u2028"),
    ),
    min_size=1,
    max_size=3,
).filter(lambda text: text not in (".", ".."))
path = st.lists(part, min_size=1, max_size=2).map("/".join)
label = st.lists(
    st.builds(Entry, st.just(0), st.sampled_from(["in", "t1"]), path, st.booleans()), max_size=2
).map(lambda entries: Datum(tuple(entries)).label)
content = st.builds("{}:{}".format, st.sampled_from(["git", "exec", "link", "SHA256E-s1--%"]), part)
#: Outputs of a datum with their contents and sizes.
outputs = st.lists(
    st.tuples(path, content, st.integers(0, 1 << 60)), max_size=2, unique_by=lambda each: each[0]
)


def _row(
    datum: str,
    key: bytes,
    place: str,
    written: list[Any],
    state: Any,
    ran: str,
    captures: list[str],
) -> Row:
    columns = tuple(zip(*written, strict=True)) or ((), (), ())
    how = (state, ran, tuple(captures))
    return Row(*(datum, key.hex(), place, *columns, *how))


row = st.builds(
    _row,
    label,
    # One draw, where text of 64 characters is 64.
    st.binary(min_size=32, max_size=32),
    st.one_of(st.just(""), path),
    outputs,
    st.sampled_from(["done", "recovered"]),
    st.sampled_from(["", "trusted", "pull", "branch memory=1 timeout=2.5 network secrets"]),
    st.lists(st.one_of(st.just(""), part), max_size=2),
)
rows = st.lists(row, max_size=9, unique_by=lambda row: row.datum)


@contextlib.contextmanager
def small() -> Iterator[None]:
    """Manifests of more than two rows are in pieces."""
    where = "tea_runner.core.results.manifest"
    with mock.patch(f"{where}.MAX_SINGLE_ROWS", 2), mock.patch(f"{where}.PIECE", 1):
        yield


def read(files: dict[str, bytes | None]) -> Manifest:
    """The manifest that stands in these files."""
    head = parse_head(files[NAME] or b"")
    pieces = [
        parse_piece(text, number, head.pieces) if text else ManifestPiece()
        for number, name in enumerate(piece_names(head.pieces))
        for text in [files.get(f"{DIRECTORY}/{name}")]
    ]
    return head.manifest(pieces)


@pytest.mark.parametrize("pieces", [False, True])
@given(rows)
def test_a_manifest_survives_its_files(pieces: bool, found: list[Row]) -> None:
    """Rows with any bytes in their paths come back, sorted, and all text is plain ASCII."""
    with small() if pieces else contextlib.nullcontext():
        parts = {"code": "1", "command": "2"}
        manifest = Manifest.of(found, parts=parts)
        files = edited_files(Manifest(), manifest, lambda: ())
        back = read(files)

        assert tuple(sorted(found, key=lambda row: row.datum)) == back.rows
        assert manifest == back
        assert len(found) == back.count
        assert all(text is not None and text.isascii() for text in files.values())
        assert (pieces and len(found) > 2) == (len(files) > 1)


@given(rows, st.randoms())
def test_equal_manifests_are_equal_files(found: list[Row], random: Any) -> None:
    """The order in which rows are given says nothing."""
    with small():
        other = random.sample(found, len(found))

        assert edited_files(Manifest(), Manifest.of(found), lambda: ()) == (
            edited_files(Manifest(), Manifest.of(other), lambda: ())
        )


@given(rows, rows, st.data())
def test_a_manifest_led_on_is_the_one_made_of_all_rows(
    before: list[Row], come: list[Row], data: st.DataObject
) -> None:
    """Also in its files: those that are written and removed make the old ones to the new ones."""
    with small():
        there = {row.datum for row in come}
        gone = data.draw(st.sets(st.sampled_from(before))) if before else set()
        names = [row.datum for row in gone if row.datum not in there]
        after = {row.datum: row for row in [*before, *come] if row.datum not in names}
        old = Manifest.of(before, parts={"a": "1"})
        new = old.edited(come, names, parts={"a": "2"})
        made = Manifest.of(after.values(), parts={"a": "2"})
        files = edited_files(Manifest(), old, lambda: ())
        inside = [path for path in files if path != NAME]
        files.update(edited_files(old, new, lambda: inside))
        left = {path: text for path, text in files.items() if text is not None}

        assert made == new
        assert edited_files(Manifest(), made, lambda: ()) == left
        assert [after.get(datum) for datum in (*after, "x")] == [*map(new.row, after), None]
        assert new.by_datum == after
        assert new.paths == {path for row in after.values() for path in row.paths}
        assert new.paths == new.owned([*new.paths, "/none"])


@given(rows, rows)
def test_differing_names_the_datums_whose_rows_differ(one: list[Row], two: list[Row]) -> None:
    """As comparing all rows does; nothing is said where the pieces are other ones."""
    with small():
        old, new = Manifest.of(one), Manifest.of(two)
        expected = {row.datum for row in set(one) ^ set(two)}

        assert new.differing(old) == (expected if len(old.pieces) == len(new.pieces) else None)


def test_few_changed_rows_are_few_pieces() -> None:
    """Of 100,000 rows, one that is another touches one of a thousand pieces, of a hundred rows."""
    old = Manifest.of(Row(f"in/{n}", "0" * 64, "", ()) for n in range(100_000))
    new = old.edited([Row("in/77", "1" * 64, "", ())], (), parts={})
    changed = [two for one, two in zip(old.pieces, new.pieces, strict=True) if one is not two]

    assert [1024, 1] == [len(new.pieces), len(changed)]
    assert max(len(piece.rows) for piece in new.pieces) < 160
    assert {"in/77"} == new.differing(old)


@pytest.mark.parametrize(
    ("rows", "pieces"),
    [(0, 1), (1024, 1), (1025, 16), (2048, 16), (2049, 32), (100_000, 1024), (1_000_000, 8192)],
)
def test_the_number_of_pieces_follows_the_number_of_rows(rows: int, pieces: int) -> None:
    """One up to a thousand rows; then a power of two, with at most 128 rows in each on average."""
    assert pieces == pieces_for(rows)
    assert pieces == 1 or 64 <= rows / pieces <= 128


@pytest.mark.parametrize("count", [2, 16, 256, 512, 4096, 65536])
def test_every_piece_has_a_name(count: int) -> None:
    """Names lead back to numbers, and no directory is large."""
    names = piece_names(count)
    directories = {name.rpartition("/")[0] for name in names}

    assert count == len(set(names))
    assert list(range(count)) == [piece_number(name, count) for name in names]
    assert len(directories) <= 256
    assert count / len(directories) <= 256
    assert [None] * 4 == [
        piece_number(name, count) for name in ("", "x.tsv", "fffff.tsv", "../00.tsv")
    ]


def test_a_row_in_a_piece_where_nobody_looks_for_it_is_refused() -> None:
    """A row stands where its datum's digest says, or nothing is believed."""
    piece = format_rows([Row("a", "k", "", ())])
    number = piece_of("a", 16)

    assert "a" in parse_piece(piece, number, 16).by_datum
    with pytest.raises(ManifestError, match="belongs to another piece"):
        parse_piece(piece, number ^ 1, 16)


def test_outputs_stand_below_their_place() -> None:
    """Paths are relative to the home; without a place they are what the command wrote."""
    assert ("p/q/x", "p/q/y/z") == Row("d", "k", "p/q", ("x", "y/z")).paths
    assert ("x",) == Row("d", "k", "", ("x",)).paths


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x",
        b"# tea-runner manifest 4\n",
        b"# tea-runner manifest 1\na\tb\n",
        "# tea-runner manifest 1\nä\t\t\t\n".encode(),
        b"\xff",
        b"# tea-runner manifest 2\n",
        b"# tea-runner manifest 2\n# pieces 1\n",
        b"# tea-runner manifest 2\n# pieces 24\n",
        b"# tea-runner manifest 2\n# pieces 524288\n",
        b"# tea-runner manifest 2\n# pieces -16\n",
    ],
)
def test_what_is_no_manifest_is_refused(data: bytes) -> None:
    """Other text, other formats, rows of other width, bytes that are no ASCII, odd numbers of pieces."""
    with pytest.raises(ManifestError, match=r"manifest\.tsv"):
        parse_head(data)
