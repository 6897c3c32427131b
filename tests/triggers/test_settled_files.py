"""Files that nobody writes any more."""

from __future__ import annotations

import pytest

from tea_runner.triggers.settled_files import Fingerprint, SettledFiles, is_temporary

OLD, NEW = Fingerprint(1, 1, 1), Fingerprint(2, 2, 1)


def test_a_file_settles_when_it_stays_the_same() -> None:
    """Each change begins the wait anew."""
    files = SettledFiles(2)

    assert [] == files.look(0, {"a": OLD})
    assert [] == files.look(1, {"a": NEW})
    assert [] == files.look(2, {"a": NEW})
    assert ["a"] == files.look(3, {"a": NEW})


def test_files_settle_one_by_one() -> None:
    """One that is being written does not hold up another; a deleted one settles, too."""
    files = SettledFiles(2)
    files.look(0, {"a": OLD, "b": OLD, "gone": None})

    assert ["b", "gone"] == files.look(2, {"a": NEW, "b": OLD, "gone": None})
    files.forget(["b", "gone"])
    assert files.waiting
    assert ["a"] == files.look(4, {"a": NEW})


def test_a_file_that_vanishes_is_forgotten() -> None:
    """When it comes back, its wait begins anew."""
    files = SettledFiles(2)
    files.look(0, {"a": OLD})
    assert [] == files.look(2, {})
    assert not files.waiting
    assert [] == files.look(3, {"a": OLD})


@pytest.mark.parametrize(
    "name",
    ["a.part", "a~", ".a.swp", "a.TMP", ".a.txt.x1Y2z3", "~$a.docx", ".#a", "#a#", ".nfs0001"],
)
def test_names_of_unfinished_files(name: str) -> None:
    """Of editors, browsers, rsync, NFS and office programs."""
    assert is_temporary(name)


@pytest.mark.parametrize(
    "name", ["a.txt", "part", ".gitkeep", "tmp", "a.partial.csv", ".bidsignore"]
)
def test_other_names_are_final(name: str) -> None:
    """Hidden files may be data."""
    assert not is_temporary(name)
