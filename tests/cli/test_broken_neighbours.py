"""A pipeline file with an error stops its own pipeline, and no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.dataset import FILES, Dataset

_BAD = "pipeline: {name: bad}\ninput: {pfs: {repo: raw, glob: '/*'}}\n"
_SENTENCE = "bad/spec.yml:1:1: error: transform: transform is missing"


@pytest.fixture
def broken(tmp_path: Path) -> Dataset:
    """A dataset with two good pipelines and a bad one."""
    return Dataset(tmp_path / "data", {**FILES, "bad/spec.yml": _BAD})


def test_a_named_pipeline_runs_beside_a_bad_one(broken: Dataset) -> None:
    """The problem is said, and does not count."""
    done = broken.tea("run", "-y", "shout")
    assert 0 == done.code, done
    assert _SENTENCE in done.err
    assert "AA\n" == (broken.path / "shout/a.txt").read_text()
    assert not (broken.path / "table/table.txt").exists()


@pytest.mark.long
def test_all_good_pipelines_run_and_the_exit_code_tells(broken: Dataset) -> None:
    """As on a server: the others are computed, and the run is no success."""
    done = broken.tea("run", "-y")
    assert 1 == done.code, done
    assert "AA\nBB\n" == (broken.path / "table/table.txt").read_text()
    assert 1 == broken.tea("run", "-y").code


@pytest.mark.long
def test_the_bad_pipeline_itself_is_refused(broken: Dataset) -> None:
    """By the name in its file, with the problem."""
    done = broken.tea("run", "-y", "bad")
    assert 1 == done.code
    assert "there is no valid pipeline bad" in done.err
    assert _SENTENCE in done.err
    planned = broken.tea("plan", "shout")
    assert "shout" in planned.out
