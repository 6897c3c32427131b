"""Datums updated after changes of files equal newly enumerated ones, for random files and globs."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tea_runner.core.datums.enumerate import enumerate_datums
from tea_runner.core.datums.incremental_enumerate import apply_edits, edit_datums
from tea_runner.core.datums.input_listing import Listing
from tea_runner.core.git.tree import PLAIN, TREE, TreeEntry, differences
from tea_runner.core.pipeline import Pfs, Pipeline, Transform

part = st.sampled_from(["a", "b", "a.b", "a-", "é"])
path = st.lists(part, min_size=1, max_size=3).map("/".join)
glob = st.sampled_from(["/", "/*", "/(*)/*", "/*/*/*", "/**", "/a/*", "/{a,b}", "/a*", "/**/b"])


def files(paths: set[str]) -> list[str]:
    """Those paths that can be files beside one another."""
    return sorted(p for p in paths if not any(q.startswith(p + "/") for q in paths))


def pipeline(pattern: str) -> Pipeline:
    """A pipeline with one input."""
    return Pipeline(
        name="p",
        home="p",
        spec_path="p/spec.yml",
        transform=Transform(cmd=("true",)),
        input=Pfs(name="i", repo="i", glob=pattern),
    )


@settings(max_examples=300, deadline=None)
@given(glob, st.sets(path, max_size=12), st.sets(path, max_size=12))
def test_following_a_change_is_as_good_as_starting_anew(
    pattern: str, old: set[str], new: set[str]
) -> None:
    """Listing, datums and the rows beside them are those of all files, whatever came and went."""
    before, after = files(old), files(new)
    here = pipeline(pattern)
    datums = enumerate_datums(here, {0: Listing(before)})
    rows = [datum.label for datum in datums]

    renewed = edit_datums(
        here,
        Listing(before),
        datums,
        removed=sorted(set(before) - set(after)),
        added=sorted(set(after) - set(before)),
        modified=sorted(set(before) & set(after)),
    )

    expected = enumerate_datums(here, {0: Listing(after)})
    assert expected == renewed.datums
    assert Listing(after).files == renewed.listing.files
    assert Listing(after).directories == renewed.listing.directories
    values = [edit.datum.label for edit in renewed.edits if edit.kind != "delete"]
    assert [datum.label for datum in expected] == apply_edits(renewed.edits, rows, values)


def test_only_what_differs_is_read() -> None:
    """Equal subtrees are never asked for; a file that became a directory is both gone and come."""
    trees = {
        "1": {"x": TreeEntry(TREE, "same"), "y": TreeEntry(PLAIN, "f"), "z": TreeEntry(TREE, "3")},
        "2": {"x": TreeEntry(TREE, "same"), "y": TreeEntry(TREE, "4"), "z": TreeEntry(TREE, "5")},
        "3": {"k": TreeEntry(PLAIN, "g")},
        "4": {"n": TreeEntry(PLAIN, "h")},
        "5": {"k": TreeEntry(PLAIN, "i")},
    }

    found = {path: (old, new) for path, old, new in differences(trees.__getitem__, "1", "2")}

    assert {
        "y": (TreeEntry(PLAIN, "f"), None),
        "y/n": (None, TreeEntry(PLAIN, "h")),
        "z/k": (TreeEntry(PLAIN, "g"), TreeEntry(PLAIN, "i")),
    } == found
