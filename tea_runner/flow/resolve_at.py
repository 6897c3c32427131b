"""Everything of a pipeline that its file leaves open, and that keys are made of, as it is at a commit."""

from __future__ import annotations

from dataclasses import replace

from tea_runner.core.pipeline import Pipeline
from tea_runner.core.planning.recorded_environment import (
    recorded_image,
    recorded_software,
    recorded_variables,
)
from tea_runner.core.results.manifest import Manifest
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.resolve_image import resolve_image
from tea_runner.flow.resolve_variable_values import resolve_variables, with_variables
from tea_runner.flow.tick_inputs import resolve_ticks


def resolve_at(tip: CommitReader, pipeline: Pipeline) -> Pipeline:
    """The pipeline with image or software, ticks, and values of variables; the same one if it has them.

    :raises SpecError: see :func:`~tea_runner.flow.resolve_image.resolve_image`.
    :raises UnavailableImage: when a registry does not answer.
    """
    return resolve_variables(tip, resolve_ticks(tip, resolve_image(tip, pipeline)))


def pin_as_recorded(pipeline: Pipeline, results: Manifest) -> Pipeline:
    """The pipeline with the image or software, and the values, that these results were made with."""
    pipeline = with_variables(pipeline, recorded_variables(results))
    if not pipeline.transform.image:
        software = recorded_software(results)
        return replace(pipeline, transform=replace(pipeline.transform, software=software))
    found = recorded_image(results, pipeline.transform.image)
    if not found:
        return pipeline
    was = pipeline.transform
    return replace(pipeline, transform=replace(was, image=found, image_tag=was.image))
