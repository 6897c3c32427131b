"""What pipelines need of the machine that runs them and do not get: network, engine, GPU, secrets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from tea_runner.core.pipeline import Pipeline
from tea_runner.core.resource_demand import (
    OfferedResources,
    capped,
    demand_of,
    missing,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """What this machine gives to commands by its operator's settings."""

    network: bool = False
    #: Whether there is an environment for commands with an image.
    images: bool = False
    #: Names of secrets.
    secrets: frozenset[str] = frozenset()
    #: Processors, memory, graphics processors; None where workers elsewhere do the jobs.
    resources: OfferedResources | None = None


class UnmetNeed(NamedTuple):
    """One need, with the field that has it."""

    key: str
    problem: str
    #: What the operator does about it.
    hint: str


def unmet_needs(pipeline: Pipeline, offer: Offer) -> Iterator[UnmetNeed]:
    """Because of these, the pipeline's commands fail here, or are refused."""
    transform = pipeline.transform
    if transform.network and not offer.network:
        yield UnmetNeed(
            "transform.network",
            "the command asks for a network, and gets none here",
            "allow it with sandbox.network = true",
        )
    if transform.image and not offer.images:
        yield UnmetNeed(
            "transform.image",
            "the command asks for an image, and no container engine is allowed here",
            'allow one, such as environments = ["host", "podman"]',
        )
    if offer.resources is not None:
        for lacking in missing(capped(demand_of(pipeline), offer.resources), offer.resources):
            yield UnmetNeed(
                "resource_requests.gpu",
                f"a job requests resources, and this machine offers no {lacking}",
                "say what it has in worker.offers, such as {gpus = 1}",
            )
    for number, secret in enumerate(transform.secrets):
        if secret.name not in offer.secrets:
            yield UnmetNeed(
                f"transform.secrets[{number}]",
                f"the command asks for secret {secret.name}, which is not listed here",
                "list it under [[secrets]]",
            )
