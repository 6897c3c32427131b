"""``tea-runner init``: each starter pipeline is clean, runs, and never stands in anybody's way."""

from __future__ import annotations

from pathlib import Path

import pytest

from tea_runner.core.starter import TEMPLATES
from tests.cli.dataset import Dataset

_SUBJECTS = {
    "raw/sub-01_T1w.txt": "1\n",
    "raw/sub-01_T2w.txt": "2\n",
    "raw/sub-01_run-1.txt": "3\n",
    "raw/sub-01_run-2.txt": "4\n",
}


@pytest.mark.parametrize("template", [name for name in TEMPLATES if name != "container"])
def test_a_starter_pipeline_runs_as_it_is(tmp_path: Path, template: str) -> None:
    """Written, saved in a dataset that annexes everything, linted, run: results are there."""
    dataset = Dataset(tmp_path / "data")
    dataset.save(_SUBJECTS)
    said = dataset.tea("init", "--template", template, "first")
    assert 0 == said.code, said
    assert "write(ok): first/spec.yml" in said.lines
    dataset.save()

    assert (0, "") == (dataset.tea("lint", "--strict").code, dataset.tea("lint").err)
    done = dataset.tea("run", "-y")
    assert 0 == done.code, done
    assert {"current"} == {
        datum["state"]
        for row in dataset.tea("status", "--json").json["pipelines"]
        for datum in row["datums"]
    }


def test_the_container_template_is_clean(tmp_path: Path) -> None:
    """It has no errors before its image is edited."""
    dataset = Dataset(tmp_path / "data")
    dataset.save(_SUBJECTS)

    assert 0 == dataset.tea("init", "-t", "container").code
    assert 0 == dataset.tea("lint").code


def test_nothing_is_overwritten(dataset: Dataset) -> None:
    """A file that is there stays, is named, and nothing else is written."""
    said = dataset.tea("init", "shout")

    assert 1 == said.code
    assert "shout/spec.yml exists, and nothing is overwritten" in said.err
    assert "" == dataset.do("git", "status", "--porcelain")


def test_a_run_record_becomes_a_pipeline(dataset: Dataset) -> None:
    """What datalad run did once, the pipeline does for the same inputs, with the same bytes."""
    (dataset.path / "out").mkdir()
    dataset.do(
        "datalad", "-l", "error", "run", "-m", "sum", "-i", "raw/a.txt", "-i", "raw/b.txt",
        "-o", "out/sum.txt", "cat {inputs} >{outputs}",
    )  # fmt: skip
    said = dataset.tea("init", "--from-record", "HEAD")
    assert 0 == said.code, said
    assert "git rm -r out/sum.txt" in said.out
    dataset.do("git", "rm", "-q", "out/sum.txt")
    dataset.save()

    assert 0 == dataset.tea("lint", "--strict").code
    assert 0 == dataset.tea("run", "-y", "out").code
    assert "aa\nbb\n" == (dataset.path / "out/sum.txt").read_text()


def test_a_commit_without_a_record_is_refused(dataset: Dataset) -> None:
    """The message says how to find commits that have one."""
    said = dataset.tea("init", "--from-record", "HEAD")

    assert 1 == said.code
    assert "has no run record; git log --oneline --grep='DATALAD RUNCMD'" in said.err
