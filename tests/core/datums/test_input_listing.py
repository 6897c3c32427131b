"""Listings: directories follow from files, and lookups use binary search."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from tea_runner.core.datums.input_listing import Listing

names = st.lists(st.text("ab.\udc80\U0001f600-", min_size=1, max_size=2), min_size=1, max_size=4)


def test_every_directory_is_a_candidate() -> None:
    """Directories, the place itself included, stand among the files as if they ended in a slash."""
    listing = Listing(["a/b/c", "a.txt", "a/d"])
    assert [
        ("", True),
        ("a.txt", False),
        ("a", True),
        ("a/b", True),
        ("a/b/c", False),
        ("a/d", False),
    ] == list(listing.candidates())


def test_candidates_can_be_narrowed() -> None:
    """By what they begin with, and by how many parts they have."""
    listing = Listing(["a/b/c", "ab/c", "b/c"])
    assert [("a", True), ("a/b", True), ("a/b/c", False), ("ab", True), ("ab/c", False)] == list(
        listing.candidates("a")
    )
    assert [("", True), ("a", True), ("ab", True), ("b", True)] == list(
        listing.candidates(max_depth=1)
    )
    assert [("ab/c", False)] == list(listing.candidates("ab/", 2))


def test_the_place_itself_has_depth_0() -> None:
    """With a depth of nothing, only files and directories of the top are candidates."""
    assert [("", True), ("a", False)] == list(Listing(["a", "b/c"]).candidates("", 1))[:2]


def test_an_empty_place_is_no_candidate() -> None:
    """Directories follow from files, the place itself as well."""
    assert [] == list(Listing([]).candidates())


@given(st.lists(names.map("/".join), max_size=12), names.map("/".join))
def test_files_below_are_those_with_the_prefix(files: list[str], path: str) -> None:
    """Also for names that only look as if they were below, and in any order of the files."""
    listing = Listing(files)
    assert sorted({file for file in files if file.startswith(path + "/")}) == list(
        listing.files_below(path)
    )
    assert sorted(set(files)) == list(listing.files_below(""))


@given(st.lists(names.map("/".join), max_size=12), st.text("ab/", max_size=3))
def test_a_prefix_loses_no_candidate(files: list[str], prefix: str) -> None:
    """Narrowing gives what filtering would give."""
    listing = Listing(files)
    assert [row for row in listing.candidates() if row[0].startswith(prefix)] == list(
        listing.candidates(prefix)
    )


def test_a_large_listing_is_fast() -> None:
    """100,000 files in 50,000 directories take well under a second."""
    files = [f"sub-{n // 2:06d}/run-{n % 2}.txt" for n in range(100_000)]
    began = time.process_time()
    listing = Listing(files)
    assert 50_001 == len(listing.directories)
    assert 150_001 == sum(1 for _ in listing.candidates())
    assert all(len(listing.files_below(f"sub-{n:06d}")) == 2 for n in range(50_000))
    assert time.process_time() - began < 2
