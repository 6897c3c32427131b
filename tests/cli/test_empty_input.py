"""The last file of an input is deleted, in a clone."""

from __future__ import annotations

from tests.cli.dataset import Dataset


def test_results_go_with_the_last_file_of_their_input(settled: Dataset) -> None:
    """Here and downstream; the run is a success, and there is nothing to do afterwards."""
    settled.save({"raw/a.txt": None, "raw/b.txt": None})

    done = settled.tea("run", "-y")
    assert 0 == done.code, done
    assert not (settled.path / "shout/a.txt").exists()
    assert not (settled.path / "table/table.txt").exists()
    assert 0 == settled.tea("plan", "--exit-code").code
    assert 0 == settled.tea("status").code
