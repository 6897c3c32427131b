"""What a job asks of Slurm."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tea_runner.core.pipeline import Pfs, Pipeline, Resources, Transform
from tea_runner.executors.slurm_request import array_script, arrays_of, request_options
from tea_runner.host import process

PIPELINE = Pipeline(
    name="fit",
    home="fit",
    spec_path="fit/spec.yml",
    transform=Transform(cmd=("true",)),
    input=Pfs(name="in", repo="raw"),
)


@pytest.mark.parametrize(
    ("fields", "options"),
    [
        ({}, ()),
        ({"limits": Resources(cpu=1.5, memory=1 << 30)}, ("--cpus-per-task=2", "--mem=1024M")),
        ({"requests": Resources(memory=1)}, ("--mem=1M",)),
        ({"limits": Resources(gpu_type="nvidia.com/gpu", gpu_number=2)}, ("--gres=gpu:2",)),
        ({"requests": Resources(gpu_type="a100", gpu_number=1)}, ("--gres=gpu:a100:1",)),
        ({"job_timeout": 61.0}, ("--time=2",)),
    ],
)
def test_options_are_those_of_the_resources(
    fields: dict[str, Any], options: tuple[str, ...]
) -> None:
    """Limits count before requests; what a pipeline does not say is the partition's business."""
    assert ("--job-name=tea-fit", *options) == request_options(replace(PIPELINE, **fields))


def test_a_name_of_a_job_has_no_odd_characters() -> None:
    """It stands on sbatch's command line and in squeue."""
    (name,) = request_options(replace(PIPELINE, name="a b\n--wrap=x"))
    assert "--job-name=tea-a_b_--wrap_x" == name


def test_numbers_of_jobs_are_divided_into_arrays_of_a_thousand() -> None:
    """Slurm takes no task number above 1,000 by default."""
    assert [(0, "0-2,5"), (1000, "0,999"), (7000, "1")] == list(
        arrays_of([5, 0, 1, 2, 1000, 1999, 7001])
    )


def test_the_script_quotes_what_it_is_given(tmp_path: Any) -> None:
    """A folder may have any name; the number is the offset and the task's own."""
    folder = tmp_path / "a '$(x) folder"
    folder.mkdir()
    script = array_script(["printf", "%s|"], str(folder), 2000)
    process.run(
        ["sh"], env={"PATH": "/usr/bin:/bin", "SLURM_ARRAY_TASK_ID": "7"}, stdin=script.encode()
    )

    assert f"run-job|{folder}|2007|" == (folder / "2007.out").read_text()
