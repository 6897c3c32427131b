"""What a manifest records of a command's environment that is not in the pipeline file.

It is the part ``image`` of the manifest, the name as written and the image by its digest, or the part
``software``, the identity of what commands without an image see.
"""

from __future__ import annotations

from tea_runner.core.pipeline import Pipeline
from tea_runner.core.results.manifest import Manifest
from tea_runner.core.spec.datalad_containers import image_digest

_PART, _SOFTWARE = "image", "software"


def image_parts(pipeline: Pipeline) -> dict[str, str]:
    """The part of a pipeline's manifest; empty if the pipeline file says it all."""
    transform = pipeline.transform
    if transform.software:
        return {_SOFTWARE: transform.software}
    return {_PART: f"{transform.image_tag} {transform.image}"} if transform.image_tag else {}


def recorded_software(manifest: Manifest) -> str:
    """The identity of the software with which results were made; empty if it is in no key."""
    return manifest.parts.get(_SOFTWARE, "")


def recorded_image(manifest: Manifest, name: str) -> str:
    """The image by its digest with which results were made; empty if they had another name for it."""
    written, _, found = manifest.parts.get(_PART, "").partition(" ")
    return found if written == name and image_digest(found) else ""


def moved_image(manifest: Manifest, pipeline: Pipeline) -> tuple[str, str] | None:
    """The former and the present digest, if the name of a pipeline's image has another content now."""
    transform = pipeline.transform
    before = image_digest(recorded_image(manifest, transform.image_tag))
    now = image_digest(transform.image)
    return (before, now) if before and before != now else None
