"""The environment of a pipeline by its content: a tag becomes the digest that it names when it is planned.

The manifest records the answer, with the name that was asked for.  So a commit can be read again later
as it was planned, and a plan can tell that a tag has moved.
"""

from __future__ import annotations

from dataclasses import replace

from tea_runner.core.errors import OutsideError, Refused, SpecError
from tea_runner.core.pipeline import Pipeline
from tea_runner.core.planning.recorded_environment import recorded_image, recorded_software
from tea_runner.core.results.manifest import Manifest
from tea_runner.core.spec.datalad_containers import image_digest
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.dataset_containers import container_path
from tea_runner.flow.read_manifest import read_manifest
from tea_runner.ports import Images


class UnavailableImage(OutsideError):
    """It cannot be found out which image a name has now."""


def resolve_image(
    tip: CommitReader, pipeline: Pipeline, before: Manifest | None = None
) -> Pipeline:
    """The pipeline with its image by digest, or the software of the host; the same one if it has that.

    :param before: the manifest at the commit, if it has been read.
    :raises SpecError: when the operator does not allow the image, or it does not exist.
    :raises UnavailableImage: when a registry does not answer.
    """
    image = pipeline.transform.image
    if not image:
        return _with_software(tip, pipeline, before)
    if image_digest(image) or container_path(tip, image):
        return pipeline
    if before is None:
        before = read_manifest(tip.tree, pipeline.home)
    images: Images = tip.tree.cache.images
    try:
        found = images.digest(image, recorded_image(before, image))
    except Refused as error:
        raise SpecError(
            error.problem,
            hint=error.hint,
            file=pipeline.spec_path,
            line=pipeline.spec_line,
            key="transform.image",
        ) from error
    except OutsideError as error:
        raise UnavailableImage(error.problem, hint=error.hint) from error
    return replace(pipeline, transform=replace(pipeline.transform, image=found, image_tag=image))


def _with_software(tip: CommitReader, pipeline: Pipeline, before: Manifest | None) -> Pipeline:
    if pipeline.transform.software is not None:
        return pipeline
    found = tip.tree.cache.software
    if found is None:
        found = recorded_software(
            read_manifest(tip.tree, pipeline.home) if before is None else before
        )
    return replace(pipeline, transform=replace(pipeline.transform, software=found))
