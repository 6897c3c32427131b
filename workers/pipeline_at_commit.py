"""The pipeline of a job, with the environment that was planned."""

from __future__ import annotations

from dataclasses import replace

from tea_runner.core.errors import OutsideError
from tea_runner.core.pipeline import Pipeline
from tea_runner.core.planning.job import Job
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.resolve_variable_values import with_variables
from tea_runner.flow.tick_inputs import ticks_of_labels


def job_pipeline(tip: CommitReader, job: Job, software: str) -> Pipeline:
    """The pipeline of a job at its commit.

    :param software: that commands without an image see here.
    :raises OutsideError: when the commit has no such pipeline, or commands see other software here.
    """
    pipeline = tip.pipelines.find(job.pipeline)
    if pipeline is None:
        raise OutsideError(f"commit {job.commit[:12]} has no pipeline {job.pipeline}")
    transform = pipeline.transform
    if job.image:
        # The tag may have moved since the plan.
        transform = replace(transform, image=job.image, image_tag=transform.image)
    elif not transform.image:
        if job.software and job.software != software:
            raise OutsideError(
                f"the software of commands is {software or 'not named'} on this worker, and "
                f"{job.software} on the planner",
                hint="set sandbox.identity to the same, and install the same",
            )
        transform = replace(transform, software=job.software)
    labels = (label for label, _ in job.datums)
    pipeline = with_variables(replace(pipeline, transform=transform), dict(job.variables))
    return ticks_of_labels(pipeline, labels)
