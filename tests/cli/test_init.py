"""``tea-runner init``: each starter pipeline is clean, runs, and never stands in anybody's way."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tea_runner.core.spec.scaffold import TEMPLATES
from tea_runner.host import process
from tea_runner.sandbox.container_engine import ContainerEngine
from tests.cli.dataset import Dataset
from tests.sandbox.engines import engine

_SUBJECTS = {
    "raw/sub-01_T1w.txt": "1\n",
    "raw/sub-01_T2w.txt": "2\n",
    "raw/sub-01_run-1.txt": "3\n",
    "raw/sub-01_run-2.txt": "4\n",
}


@pytest.mark.long
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


def test_a_name_that_is_a_templates_means_that_template(tmp_path: Path) -> None:
    """``init join`` is a join; with ``-t`` the name is but a name."""
    dataset = Dataset(tmp_path / "data")
    dataset.save(_SUBJECTS)

    assert 0 == dataset.tea("init", "join").code
    assert "  join:" in (dataset.path / "join/spec.yml").read_text()
    assert 0 == dataset.tea("init", "-t", "per-file", "group").code
    assert "  group:" not in (dataset.path / "group/spec.yml").read_text()


def test_the_container_template_is_clean(tmp_path: Path) -> None:
    """It has no errors before its image is edited."""
    dataset = Dataset(tmp_path / "data")
    dataset.save(_SUBJECTS)

    assert 0 == dataset.tea("init", "-t", "container").code
    assert 0 == dataset.tea("lint").code


@pytest.mark.engine
def test_the_container_template_runs_in_its_image(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """With an image named by its digest, and podman allowed by the operator, the results are there."""
    podman, image = engine("podman", tmp_path_factory)
    assert isinstance(podman, ContainerEngine)
    env = {k: v for k, v in podman.variables.items() if k.startswith("CONTAINERS_")}
    asked = ["podman", "inspect", "--format", "{{index .RepoDigests 0}}", image]
    image = process.run(asked, env={**os.environ, **env}).stdout.decode().strip()
    dataset = Dataset(tmp_path / "data")
    dataset.save(_SUBJECTS)
    assert 0 == dataset.tea("init", "-t", "container", "first").code
    spec = dataset.path / "first/spec.yml"
    before = spec.read_text()
    spec.write_text(re.sub(r"(?m)^( *image:).*", rf"\1 {image}", before))
    assert before != spec.read_text()
    dataset.save()

    refused = dataset.tea("run", "-y")
    assert 1 == refused.code
    assert 'environments = ["host", "podman"]' in refused.out + refused.err
    env["TEA_RUNNER_ENVIRONMENTS"] = '["host", "podman"]'
    done = dataset.tea("run", "-y", env=env)
    assert 0 == done.code, done
    assert len(_SUBJECTS) == len(dataset.tea("datums").lines)
    assert "Nothing to do." == dataset.tea("run", "-y", env=env).lines[-1]


def test_nothing_is_overwritten(dataset: Dataset) -> None:
    """A file that is there stays, is named, and nothing else is written."""
    said = dataset.tea("init", "shout")

    assert 1 == said.code
    assert "shout/spec.yml exists and is not overwritten" in said.err
    assert "" == dataset.do("git", "status", "--porcelain")


def test_a_run_record_becomes_a_pipeline(dataset: Dataset) -> None:
    """What datalad run did once, the pipeline does for the same inputs, with the same bytes."""
    (dataset.path / "out").mkdir()
    dataset.do(
        "datalad",
        "-l",
        "error",
        "run",
        "-m",
        "sum",
        "-i",
        "raw/a.txt",
        "-i",
        "raw/b.txt",
        "-o",
        "out/sum.txt",
        "cat {inputs} >{outputs}",
    )
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


def test_a_record_of_a_pipeline_is_refused(settled: Dataset) -> None:
    """Its pipeline file is there already, and is named."""
    commit = settled.do("git", "log", "-1", "--format=%H", "--grep=Tea-Key")
    name = settled.do("git", "log", "-1", "--format=%(trailers:key=Tea-Pipeline,valueonly)", commit)
    said = settled.tea("init", "more", "--from-record", commit)

    assert 1 == said.code, said
    assert f"is a result of pipeline {name}" in said.err
    assert f"{name}/spec.yml" in said.err
    assert not (settled.path / "more").exists()
