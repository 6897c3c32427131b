"""Manifests: to text and back, whatever paths and labels hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tea_runner.core.datum import Datum, Entry
from tea_runner.core.manifest import Manifest, ManifestError, Row, format_manifest, parse_manifest

part = st.text(
    st.one_of(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]),
              st.sampled_from("\udc80\udcff\t\n\r %#\x85\u2028")),
    min_size=1, max_size=5,
)  # fmt: skip
path = st.lists(part, min_size=1, max_size=3).map("/".join)
label = st.lists(
    st.builds(Entry, st.just(0), st.sampled_from(["in", "t1"]), path, st.booleans()), max_size=3
).map(lambda entries: Datum(tuple(entries)).label)
row = st.builds(
    Row, label, st.text("0123456789abcdef", min_size=64, max_size=64), st.one_of(st.just(""), path),
    st.lists(path, max_size=3).map(tuple),
)  # fmt: skip
rows = st.lists(row, max_size=4, unique_by=lambda row: row.datum)


@given(rows)
def test_a_manifest_survives_its_text(found: list[Row]) -> None:
    """Rows with any bytes in their paths come back, sorted, and the text is plain ASCII."""
    manifest = Manifest(rows=tuple(found), parts={"code": "1", "command": "2"}, inputs_at="3" * 40)
    text = format_manifest(manifest)
    back = parse_manifest(text)

    assert tuple(sorted(found, key=lambda row: row.datum)) == back.rows
    assert (manifest.parts, manifest.inputs_at) == (back.parts, back.inputs_at)
    assert text.isascii()
    assert text == format_manifest(back)


@given(st.permutations([Row(str(n), "0" * 64, "", ()) for n in range(4)]))
def test_equal_manifests_are_equal_bytes(found: list[Row]) -> None:
    """The order in which rows are given says nothing."""
    assert format_manifest(Manifest(rows=tuple(sorted(found, key=lambda r: r.datum)))) == (
        format_manifest(Manifest(rows=tuple(found)))
    )


def test_outputs_stand_below_their_place() -> None:
    """Paths are relative to the home; without a place they are what the command wrote."""
    assert ("p/q/x", "p/q/y/z") == Row("d", "k", "p/q", ("x", "y/z")).paths
    assert ("x",) == Row("d", "k", "", ("x",)).paths


@pytest.mark.parametrize(
    "data",
    [b"", b"x", b"# tea-runner manifest 2\n", b"# tea-runner manifest 1\na\tb\n",
     "# tea-runner manifest 1\nä\t\t\t\n".encode(), b"\xff"],
)  # fmt: skip
def test_what_is_no_manifest_is_refused(data: bytes) -> None:
    """Other text, other formats, rows of other width, bytes that are no ASCII."""
    with pytest.raises(ManifestError, match=r"manifest\.tsv"):
        parse_manifest(data)
