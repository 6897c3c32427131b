"""What a manifest records of a command's environment that is not in the pipeline file.

It is the part ``image`` of the manifest, the name as written and the image by its digest, or the part
``software``, the identity of what commands without an image see; and the part ``vars``, the values of
variables that somebody has set.
"""

from __future__ import annotations

import json

from tea_runner.core.pipeline import Pipeline
from tea_runner.core.results.manifest import Manifest
from tea_runner.core.spec.datalad_containers import image_digest

_PART, _SOFTWARE, _VARIABLES = "image", "software", "vars"


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


def variable_parts(pipeline: Pipeline) -> dict[str, str]:
    """The part of a pipeline's manifest that says which variables somebody has set; empty without such."""
    if not pipeline.given:
        return {}
    return {_VARIABLES: json.dumps(dict(pipeline.given), separators=(",", ":"))}


def recorded_variables(manifest: Manifest) -> dict[str, str]:
    """The values of variables that were set when results were made; whether they are valid is not said."""
    try:
        found = json.loads(manifest.parts.get(_VARIABLES, "{}"))
        return {str(name): str(value) for name, value in found.items()}
    except (ValueError, AttributeError, RecursionError):
        return {}


def changed_variables(manifest: Manifest, pipeline: Pipeline) -> str:
    """What was set to another value since results were made, as ``year=2026``; empty for nothing."""
    before, now = recorded_variables(manifest), dict(pipeline.given or ())
    values = {each.name: now.get(each.name, each.default) for each in pipeline.variables}
    return ", ".join(
        f"{name}={value}" for name, value in values.items() if before.get(name) != now.get(name)
    )
