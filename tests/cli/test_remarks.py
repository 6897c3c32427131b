"""Fields without effect are said where a pipeline is planned and run, not by ``lint`` alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.dataset import FILES, SHOUT, TABLE, Dataset

FIELDS = (
    "autoscaling: true\nresource_requests: {cpu: 1, memory: 64M}\nscheduling_spec: {a: b}\n"
    "egress: {URL: 's3://a'}\noutput_branch: elsewhere\n"
)
EGRESS = (
    "remark: shout: egress has no effect (results are pushed only to the dataset's own siblings); "
    "output_branch has no effect: the pipelines name different ones (elsewhere, none) "
    "(results are on the pushed branch; name one in all pipelines)"
)
CLUSTER = (
    "remark: autoscaling, resource_requests, scheduling_spec of 2 pipelines have no effect: "
    "they are for Kubernetes; workers are configured where they are started"
)


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """Two pipelines with fields of a cluster, the first one with two that would change something."""
    more = "autoscaling: true\n"
    files = {**FILES, "shout/spec.yml": SHOUT + FIELDS, "table/spec.yml": TABLE + more}
    return Dataset(tmp_path / "data", files)


@pytest.mark.long
def test_plan_run_and_status_say_what_has_no_effect(dataset: Dataset) -> None:
    """One line for each pipeline where something does not happen, and one for all cluster fields."""
    for words in (("plan",), ("run", "-n"), ("run", "-y"), ("status",)):
        said = dataset.tea(*words)
        assert [EGRESS, CLUSTER] == [line for line in said.lines if line.startswith("remark")], (
            words
        )


@pytest.mark.long
def test_json_has_the_remarks(dataset: Dataset) -> None:
    """For plan, status and run."""
    expected = [line.removeprefix("remark: ") for line in (EGRESS, CLUSTER)]
    for words in (("plan", "--json"), ("--json", "run", "-y"), ("status", "--json")):
        assert expected == dataset.tea(*words).json["remarks"], words


@pytest.mark.long
def test_an_input_that_is_gone_is_said(settled: Dataset) -> None:
    """A folder that was renamed looks the same, so nobody is left to guess."""
    settled.save({"raw/a.txt": None, "raw/b.txt": None})

    assert (
        "remark: shout: raw is no longer in this dataset: the input is empty"
        in settled.tea("run", "-y").lines
    )


@pytest.fixture
def settled(tmp_path: Path) -> Dataset:
    """A dataset whose results are there."""
    made = Dataset(tmp_path / "data", FILES)
    assert 0 == made.tea("run", "-y").code
    return made


@pytest.mark.long
def test_a_glob_that_matches_nothing_is_said(tmp_path: Path) -> None:
    """The pipeline has no datums, which is seldom meant; the results of before go."""
    remark = "remark: shout: /*.csv matches nothing in raw"
    none = SHOUT.replace('glob: "/*"', 'glob: "/*.csv"')
    made = Dataset(tmp_path / "data", {**FILES, "shout/spec.yml": none})

    for words in (("plan",), ("run", "-y"), ("status",)):
        assert remark in made.tea(*words).lines, words
